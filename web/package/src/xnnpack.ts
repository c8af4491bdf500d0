/**
 * Convolutions by XNNPACK, in the WebAssembly that TensorFlow.js 4.22 is built with (`tfjs-backend-wasm-simd.wasm`, which
 * exports its kernels by name). A 5 x 5 depthwise convolution, 40 % of a look in ONNX Runtime Web 1.30, has a kernel there.
 */

/** A place for numbers in the module's memory. */
export interface Buffer {
  id: number;
  at: number;
  size: number;
}

export const ACTIVATION = { none: 0, relu: 1, relu6: 2 } as const;

export interface Convolution {
  depthwise: boolean;
  height: number;
  width: number;
  channels: number;
  filters: number;
  kernel: [number, number];
  strides: [number, number];
  dilations: [number, number];
  /** Top, left, bottom, right, as in ONNX. */
  pads: [number, number, number, number];
  activation: (typeof ACTIVATION)[keyof typeof ACTIVATION];
}

/** Kernels that make one number of each of two, and of one. */
export type Pairwise = "Add" | "Sub" | "Multiply" | "RealDiv" | "Maximum" | "Pow";
export type Each = "Neg" | "Sqrt";

interface Exports extends Record<Pairwise | Each, (...numbers: number[]) => void> {
  memory: WebAssembly.Memory;
  __wasm_call_ctors(): void;
  init(): void;
  dispose(): void;
  malloc(bytes: number): number;
  register_tensor(id: number, size: number, at: number): void;
  FusedConv2D(...numbers: number[]): void;
  FusedDepthwiseConv2D(...numbers: number[]): void;
  ClipByValue(from: number, least: number, most: number, to: number): void;
}

export class Xnnpack {
  private next = 1; // 0 stands for no tensor

  private constructor(private readonly module: Exports) {}

  static async open(binary: BufferSource): Promise<Xnnpack> {
    let module: Exports | undefined;
    const heap = () => new Uint8Array(module!.memory.buffer);
    const fail = (why: string) => {
      throw new Error(`XNNPACK: ${why}`);
    };
    const { instance } = await WebAssembly.instantiate(binary, {
      env: {
        abort: () => fail("aborted"),
        emscripten_get_heap_max: () => MOST_BYTES,
        emscripten_memcpy_big: (to: number, from: number, size: number) => heap().copyWithin(to, from, from + size),
        emscripten_resize_heap: (size: number) => grown(module!.memory, size),
      },
      wasi_snapshot_preview1: {
        fd_close: () => 0,
        fd_seek: () => 0,
        // It writes only of what went wrong, and goes on.
        fd_write: (_: number, parts: number) => fail(written(module!.memory, parts)),
      },
    });
    module = instance.exports as unknown as Exports;
    module.__wasm_call_ctors();
    module.init();
    return new Xnnpack(module);
  }

  /** A new place for so many numbers. */
  allocate(size: number): Buffer {
    const at = this.module.malloc(4 * size) >>> 0;
    if (!at) throw new Error(`XNNPACK: no memory for ${size} numbers`);
    return this.at(at, size);
  }

  /** A name for so many numbers at a place that is known. */
  at(at: number, size: number): Buffer {
    const id = this.next++;
    this.module.register_tensor(id, size, at);
    return { id, at, size };
  }

  /** The numbers there; not to be kept, since memory that grows moves. */
  view({ at, size }: Buffer): Float32Array {
    return new Float32Array(this.module.memory.buffer, at, size);
  }

  private integers(numbers: readonly number[]): number {
    const at = this.module.malloc(4 * numbers.length) >>> 0;
    new Int32Array(this.module.memory.buffer, at, numbers.length).set(numbers);
    return at;
  }

  convolve(of: Convolution, from: Buffer, weights: Buffer, bias: Buffer | undefined, to: Buffer): void {
    const [top, left, bottom, right] = of.pads;
    const run = of.depthwise ? this.module.FusedDepthwiseConv2D : this.module.FusedConv2D;
    const input = [from.id, 1, of.height, of.width, weights.id, ...of.kernel, bias?.id ?? 0];
    const shape = [top, right, bottom, left, 0, ...of.dilations, ...of.strides, of.channels, of.filters];
    run(...input, ...shape, of.activation, 0, 0, to.id);
  }

  /** Of two values; dimensions of 1 go with every number of the other. Gives what to run. */
  pairwise(kernel: Pairwise, from: readonly [Buffer, Buffer], shapes: readonly [number[], number[]], to: Buffer): () => void {
    const [a, b] = from.map(({ id }, at) => [id, this.integers(shapes[at]!), shapes[at]!.length]) as [number[], number[]];
    return () => this.module[kernel](...a, ...b, FLOAT32, to.id);
  }

  each(kernel: Each, from: Buffer, to: Buffer): void {
    this.module[kernel](from.id, FLOAT32, to.id);
  }

  clamp(from: Buffer, least: number, most: number, to: Buffer): void {
    this.module.ClipByValue(from.id, least, most, to.id);
  }

  close(): void {
    this.module.dispose();
  }
}

/** The type's number in `cc/backend.h`. */
const FLOAT32 = 0;
const MOST_BYTES = 2 ** 31;
const PAGE_BYTES = 2 ** 16;

function grown(memory: WebAssembly.Memory, bytes: number): number {
  try {
    memory.grow(Math.ceil(((bytes >>> 0) - memory.buffer.byteLength) / PAGE_BYTES));
    return 1;
  } catch {
    return 0;
  }
}

/** The text of the first of the parts that C's `writev` takes. */
function written(memory: WebAssembly.Memory, parts: number): string {
  const [at, length] = new Uint32Array(memory.buffer, parts, 2);
  return new TextDecoder().decode(new Uint8Array(memory.buffer, at, length).slice()).trim();
}
