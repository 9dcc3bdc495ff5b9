// Made by tools/coefficients.ts (npm run gen). Do not edit.

/** 2^f = 1 + f·Σ EXP2[j]·f^j on |f| ≤ 1/2; relative error ≤ 2^-27.6 */
export const EXP2 = memory.data<f64>([
  0.6931471880262329,
  0.24022650760568162,
  0.05550357114209953,
  0.009618082557269949,
  0.00133908633673885,
  0.00015453162947473722,
], 16);

/** e^r = 1 + r + r²·Σ EXP[j]·r^j on |r| ≤ 0.34658; relative error ≤ 2^-61.4 */
export const EXP = memory.data<f64>([
  0.5,
  0.1666666666666667,
  0.04166666666666667,
  0.00833333333332614,
  0.0013888888888883744,
  0.000198412698748045,
  0.000024801587325557528,
  0.0000027557255420660824,
  2.755727363491624e-7,
  2.510520849138856e-8,
  2.0914689325051173e-9,
], 16);

/** e^r = 1 + r + r²·Σ EXP_F32[j]·r^j in f32 on |r| ≤ 0.3466; relative error of the polynomial ≤ 2^-28.0 */
export const EXP_F32 = memory.data<f32>([
  0.5,
  0.16666534543037415,
  0.041667234152555466,
  0.008367474190890789,
  0.0013864024076610804,
], 16);

/** 2 atanh s = 2s + s·z·Σ LOG[j]·z^j, z = s², |s| ≤ 0.1716; relative error ≤ 2^-57.7 */
export const LOG = memory.data<f64>([
  0.6666666666666671,
  0.39999999999890223,
  0.2857142862851533,
  0.22222210835958206,
  0.181829062390354,
  0.1533125090225447,
  0.14621430189548335,
], 16);

/** The same on |s| ≤ 0.3334, for f32 results; relative error ≤ 2^-31.3 */
export const LOG_F32 = memory.data<f64>([
  0.6666666734870212,
  0.39999702599351494,
  0.28592490321492725,
  0.21704851594061347,
  0.23231769638847427,
], 16);

/** { log₂e, 32 bits of ln 2 (times k exact for |k| < 2^21), the rest of ln 2 } */
export const REDUCTION = memory.data<f64>([
  1.4426950408889634,
  0.6931471803691238,
  1.9082149292705877e-10,
], 16);

/** The same for f32: { log₂e, 16 bits of ln 2 (times k exact for |k| < 2^8), the rest of ln 2 } */
export const REDUCTION_F32 = memory.data<f32>([
  1.4426950216293335,
  0.693145751953125,
  0.000001428606765330187,
], 16);
