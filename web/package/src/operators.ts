/** The operators of a network, by their names in ONNX: https://onnx.ai/onnx/operators says what each does. */
import type { Builder, Value } from "./network.js";
import { Unsupported, type Constant, type Node } from "./onnx.js";
import { ACTIVATION, type Convolution, type Each, type Pairwise } from "./xnnpack.js";

type Operator = (node: Node, builder: Builder) => void;

/** Where channels-first dimension i of four lies. */
const PLACE = [0, 3, 1, 2];

export const OPERATORS: Record<string, Operator> = {
  Add: pairwise("Add"),
  Cast: same,
  Clip: clamped,
  Concat: joined,
  Conv: convolved,
  DequantizeLinear: dequantized,
  Div: pairwise("RealDiv"),
  Gather: gathered,
  Gemm: multiplied,
  Identity: same,
  Max: pairwise("Maximum"),
  Mul: pairwise("Multiply"),
  Neg: each("Neg"),
  Pow: pairwise("Pow"),
  QuantizeLinear: clamped,
  ReduceMean: reduced((sum, count) => sum / count),
  ReduceSum: reduced((sum) => sum),
  Relu: clamped,
  Softmax: softmax,
  Sqrt: each("Sqrt"),
  Sub: pairwise("Sub"),
  Transpose: transposed,
  Unsqueeze: unsqueezed,
};

/** Least and greatest number that a node lets through. */
export function rangeOf({ op, inputs }: Node, constants: ReadonlyMap<string, Constant>): [number, number] {
  const number = (at: number, otherwise: number) => constants.get(inputs[at] ?? "")?.data[0] ?? otherwise;
  if (op === "Relu") return [0, Infinity];
  if (op === "Clip") return [number(1, -Infinity), number(2, Infinity)];
  // 8 bits that begin at 0 hold nothing less: where that is so, quantisation has left out the clamp before it, 0 to 6
  // times 1.0000001. Those of both signs are meant to hold everything.
  if (op === "QuantizeLinear" && number(2, 0) === 0) return [0, Math.round(255e4 * number(1, 1)) / 1e4];
  return [-Infinity, Infinity];
}

export function product(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a * b, 1);
}

function convolved({ inputs, output, attributes }: Node, builder: Builder): void {
  const from = builder.get(inputs[0]!);
  const [weights, bias] = [builder.constant(inputs[1]), inputs[2] ? builder.constant(inputs[2]) : undefined];
  const [filters, per, ...kernel] = weights.shape as [number, number, number, number];
  const [, height, width, channels] = from.shape as [number, number, number, number];
  const { group = [1], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0] } = attributes;
  const depthwise = group[0] !== 1;
  if (kernel.length !== 2 || (depthwise ? group[0] !== channels || filters !== channels : per !== channels)) {
    throw new Unsupported("Conv in groups");
  }
  const places = [height, width].map((side, axis) => {
    const first = dilations[axis]! * (kernel[axis]! - 1) + 1;
    return Math.floor((side + pads[axis]! + pads[axis + 2]! - first) / strides[axis]!) + 1;
  });
  const to = builder.value([1, ...places, filters]);
  // XNNPACK in TensorFlow.js takes [height, width, in, out], depthwise [height, width, in, 1].
  const filter = builder.kept(moved(weights, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]));
  const offset = bias && builder.kept(bias.data);
  const activation = (attributes["activation"]?.[0] ?? ACTIVATION.none) as Convolution["activation"];
  const of = { depthwise, height, width, channels, filters, kernel, strides, dilations, pads, activation } as Convolution;
  builder.steps.push(() => builder.xnnpack.convolve(of, from.buffer, filter, offset, to.buffer));
  builder.values.set(output, to);
}

/** The numbers of a constant with its dimensions in another order. */
function moved({ shape, data }: Constant, order: readonly number[]): Float32Array {
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const to = new Float32Array(data.length);
  let at = 0;
  const walk = (depth: number, from: number): void => {
    if (depth === order.length) to[at++] = data[from]!;
    else for (let i = 0; i < shape[order[depth]!]!; i++) walk(depth + 1, from + i * strides[order[depth]!]!);
  };
  walk(0, 0);
  return to;
}

/** The same numbers, in this shape. */
function same({ inputs, output }: Node, builder: Builder, shape?: number[]): void {
  const constant = builder.constants.get(inputs[0]!);
  if (constant) builder.constants.set(output, constant);
  else builder.values.set(output, { ...builder.get(inputs[0]!), ...(shape && { shape }) });
}

function transposed(node: Node, builder: Builder): void {
  // As a view lies, channels are last: where they are moved to the front, nothing has to move.
  if (node.attributes["perm"]?.join() !== PLACE.join()) throw new Unsupported("Transpose, but of channels to the front");
  same(node, builder);
}

function dequantized(node: Node, builder: Builder): void {
  const numbers = builder.constants.get(node.inputs[0]!);
  if (!numbers) return same(node, builder);
  const [scales, zeros] = [builder.constant(node.inputs[1]), builder.constants.get(node.inputs[2] ?? "")];
  const inner = product(numbers.shape.slice(1 + (node.attributes["axis"]?.[0] ?? 0)));
  const data = numbers.data.map((value, at) => {
    const channel = scales.data.length === 1 ? 0 : Math.floor(at / inner) % scales.data.length;
    return (value - (zeros?.data[channel] ?? 0)) * scales.data[channel]!;
  });
  builder.constants.set(node.output, { shape: numbers.shape, data });
}

function clamped(node: Node, builder: Builder): void {
  const [least, most] = rangeOf(node, builder.constants);
  if (least === -Infinity && most === Infinity) return same(node, builder);
  const from = builder.get(node.inputs[0]!);
  const to = builder.value(from.shape);
  builder.steps.push(() => builder.xnnpack.clamp(from.buffer, least, most, to.buffer));
  builder.values.set(node.output, to);
}

function pairwise(kernel: Pairwise): Operator {
  return ({ inputs, output }, builder) => {
    const [a, b] = [0, 1].map((at) => valueOf(inputs[at]!, builder)) as [Value, Value];
    const rank = Math.max(a.shape.length, b.shape.length);
    if (rank === 4 && [a, b].some(({ shape }) => shape.length !== 4 && product(shape) > 1)) {
      throw new Unsupported("four dimensions with fewer");
    }
    const shapes = [a, b].map(({ shape }) => [...Array<number>(rank - shape.length).fill(1), ...shape]) as [number[], number[]];
    const to = builder.value(shapes[0].map((side, axis) => Math.max(side, shapes[1][axis]!)));
    builder.steps.push(builder.xnnpack.pairwise(kernel, [a.buffer, b.buffer], shapes, to.buffer));
    builder.values.set(output, to);
  };
}

function each(kernel: Each): Operator {
  return ({ inputs, output }, builder) => {
    const from = builder.get(inputs[0]!);
    const to = builder.value(from.shape);
    builder.steps.push(() => builder.xnnpack.each(kernel, from.buffer, to.buffer));
    builder.values.set(output, to);
  };
}

/** A value, or a constant as if it was one. */
function valueOf(name: string, builder: Builder): Value {
  const constant = builder.constants.get(name);
  if (!constant) return builder.get(name);
  const four = constant.shape.length === 4;
  const shape = four ? [0, 2, 3, 1].map((axis) => constant.shape[axis]!) : constant.shape;
  return { shape, buffer: builder.kept(four ? moved(constant, [0, 2, 3, 1]) : constant.data) };
}

/** Which number of a value of this shape goes with each of a larger one. */
function places(own: readonly number[], whole: readonly number[]): Int32Array {
  const strides = own.map((side, axis) => (side === 1 ? 0 : product(own.slice(axis + 1))));
  return Int32Array.from({ length: product(whole) }, (_, at) => {
    let place = 0;
    for (let axis = whole.length - 1; axis >= 0; axis--) {
      place += (at % whole[axis]!) * strides[axis]!;
      at = Math.floor(at / whole[axis]!);
    }
    return place;
  });
}

/** Axes as they lie, counted from the front. */
function axesOf(axes: readonly number[], { shape }: Value): number[] {
  const rank = shape.length;
  return axes.map((axis) => (axis + rank) % rank).map((axis) => (rank === 4 ? PLACE[axis]! : axis));
}

function reduced(end: (sum: number, count: number) => number): Operator {
  return ({ inputs, output, attributes }, builder) => {
    const from = builder.get(inputs[0]!);
    const axes = axesOf(attributes["axes"] ?? [...builder.constant(inputs[1]).data], from);
    const kept = from.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
    const shape = attributes["keepdims"]?.[0] === 0 ? from.shape.filter((_, axis) => !axes.includes(axis)) : kept;
    const [to, count] = [places(kept, from.shape), product(from.shape) / product(kept)];
    builder.computed(output, shape, [from], (sums, numbers) => {
      sums.fill(0);
      for (let at = 0; at < numbers!.length; at++) sums[to[at]!]! += numbers![at]!;
      for (let at = 0; at < sums.length; at++) sums[at] = end(sums[at]!, count);
    });
  };
}

/** Of the last dimension of two. */
function softmax({ inputs, output, attributes }: Node, builder: Builder): void {
  const from = builder.get(inputs[0]!);
  if (from.shape.length !== 2 || axesOf(attributes["axis"] ?? [-1], from)[0] !== 1) throw new Unsupported("Softmax, but of rows");
  builder.computed(output, from.shape, [from], (to, numbers) => {
    const top = Math.max(...numbers!);
    const weights = numbers!.map((value) => Math.exp(value - top));
    const sum = weights.reduce((a, b) => a + b);
    to.set(weights.map((weight) => weight / sum));
  });
}

/** One number of each row. */
function gathered({ inputs, output, attributes }: Node, builder: Builder): void {
  const [from, index] = [builder.get(inputs[0]!), builder.constant(inputs[1])];
  const [rows, columns] = from.shape as [number, number];
  const isColumn = from.shape.length === 2 && index.shape.length === 0 && attributes["axis"]?.[0] === 1;
  if (!isColumn) throw new Unsupported("Gather, but of a column");
  builder.computed(output, [rows], [from], (to, numbers) => {
    for (let row = 0; row < rows; row++) to[row] = numbers![row * columns + index.data[0]!]!;
  });
}

function unsqueezed(node: Node, builder: Builder): void {
  const shape = [...builder.get(node.inputs[0]!).shape];
  const axes = node.attributes["axes"] ?? [...builder.constant(node.inputs[1]).data];
  const rank = shape.length + axes.length;
  if (rank > 3) throw new Unsupported("Unsqueeze to four dimensions");
  for (const axis of axes.map((each) => (each + rank) % rank).sort()) shape.splice(axis, 0, 1);
  same(node, builder, shape);
}

/** Rows of values, one behind the other. */
function joined({ inputs, output, attributes }: Node, builder: Builder): void {
  const from = inputs.map((name) => builder.get(name));
  if (from.some(({ shape }) => shape.length !== 2 || shape[0] !== 1) || axesOf(attributes["axis"]!, from[0]!)[0] !== 1) {
    throw new Unsupported("Concat, but of single rows");
  }
  const shape = [1, from.reduce((sum, value) => sum + value.shape[1]!, 0)];
  builder.computed(output, shape, from, (to, ...parts) => {
    let at = 0;
    for (const part of parts) {
      to.set(part, at);
      at += part.length;
    }
  });
}

/** A row times weights [out, in], and a bias. */
function multiplied({ inputs, output, attributes }: Node, builder: Builder): void {
  const [from, weights, bias] = [builder.get(inputs[0]!), builder.constant(inputs[1]), builder.constants.get(inputs[2] ?? "")];
  const { alpha = [1], beta = [1], transA = [0], transB = [0] } = attributes;
  const isUsual = [...alpha, ...beta, ...transB].every((value) => value === 1) && !transA[0];
  if (!isUsual || from.shape.length !== 2 || from.shape[0] !== 1) throw new Unsupported("Gemm, but of a row, weights [out, in]");
  const [rows, columns] = weights.shape as [number, number];
  builder.computed(output, [1, rows], [from], (to, numbers) => {
    for (let row = 0; row < rows; row++) {
      let sum = bias?.data[row] ?? 0;
      for (let column = 0; column < columns; column++) sum += numbers![column]! * weights.data[row * columns + column]!;
      to[row] = sum;
    }
  });
}
