type Exactly<T, U> = 0 extends 1 & U ? never : [U] extends [T] ? ([T] extends [U] ? U : never) : never;

/** `is<T>()(value)` takes a value of the type T, of none wider or narrower, and no `any`. */
export declare function is<T>(): <U>(value: Exactly<T, U>) => void;
