import { normals, uniforms } from "../random.ts";

export interface Rows {
  readonly x: { readonly data: Float32Array; readonly shape: [rows: number, features: number] };
  readonly y: readonly (string | number)[];
}

export const CLASSES = ["A", "B", "C"] as const;
const POINTS = 300;

/** [x, y] of point t (0 to 1) of class k, without its noise. */
type Curve = (t: number, k: number) => [number, number];

const CURVES: Record<string, { classes: number; noise: number; at: Curve }> = {
  spirals: {
    classes: 3,
    noise: 0.03,
    at: (t, k) => {
      const angle = 4.5 * t + (2 * Math.PI * k) / 3;
      return [0.9 * (0.1 + 0.9 * t) * Math.cos(angle), 0.9 * (0.1 + 0.9 * t) * Math.sin(angle)];
    },
  },
  moons: {
    classes: 2,
    noise: 0.07,
    at: (t, k) => {
      const [x, y] = [Math.cos(Math.PI * t), Math.sin(Math.PI * t)];
      return k === 0 ? [0.6 * x - 0.3, 0.7 * y - 0.25] : [0.3 - 0.6 * x, 0.25 - 0.7 * y];
    },
  },
  blobs: {
    classes: 3,
    noise: 0.12,
    at: (_, k) =>
      (
        [
          [-0.5, -0.4],
          [0.6, -0.2],
          [0, 0.6],
        ] as const
      )[k].slice() as [number, number],
  },
};

/** The toys; what is drawn by hand comes on top of "none". */
export const TOYS = [...Object.keys(CURVES), "none"] as const;

/** Points in [−1, 1]², the same from the same seed; three decimals, as browsers differ in the last bits of sines. */
export function toy(name: string, seed: number): Rows {
  const curve = CURVES[name];
  if (curve === undefined) return { x: { data: new Float32Array(0), shape: [0, 2] }, y: [] };
  const [uniform, normal] = [uniforms(seed), normals(seed + 1)];
  const data = new Float32Array(POINTS * 2);
  const y = Array.from({ length: POINTS }, (_, i) => {
    const k = i % curve.classes;
    const at = curve.at(uniform(), k);
    for (let d = 0; d < 2; d++) data[2 * i + d] = Math.round(1000 * (at[d] + curve.noise * normal())) / 1000;
    return CLASSES[k];
  });
  return { x: { data, shape: [POINTS, 2] }, y };
}

export const PIXELS = 784;

/** 10,000 images of MNIST, as the build has put them beside the page. */
export async function mnist(): Promise<Rows> {
  const response = await fetch(new URL("mnist-10000.bin", document.baseURI));
  if (!response.ok || response.body === null) throw new Error(`the images could not be read (${response.status})`);
  const unpacked = response.body.pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(unpacked).arrayBuffer());
  const rows = bytes.length / (1 + PIXELS);
  return {
    x: { data: Float32Array.from(bytes.subarray(rows)), shape: [rows, PIXELS] },
    y: [...bytes.subarray(0, rows)],
  };
}
