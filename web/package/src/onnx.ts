/**
 * Reads networks in ONNX's format, a protocol buffer: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto names the
 * fields whose numbers are used here, https://protobuf.dev/programming-guides/encoding their encoding.
 */

/** A network has something that is not known here. */
export class Unsupported extends Error {}

/** Numbers in the order that ONNX has them, whatever type they had there. */
export interface Constant {
  shape: number[];
  data: Float32Array;
}

export interface Node {
  op: string;
  inputs: string[];
  output: string;
  /** Numbers only; one that is no list has one. */
  attributes: Record<string, number[]>;
}

export interface Graph {
  input: string;
  output: string;
  nodes: Node[];
  constants: Map<string, Constant>;
}

export function readOnnx(bytes: Uint8Array): Graph {
  const graph = bytesOf(bytes, 7)[0];
  if (!graph) throw damaged("no graph");
  const constants = new Map(bytesOf(graph, 5).map(tensorOf));
  const [inputs, outputs] = [11, 12].map((field) => bytesOf(graph, field).map((info) => text(bytesOf(info, 1)[0])));
  const input = inputs!.find((name) => !constants.has(name));
  return { input: input ?? "", output: outputs![0] ?? "", nodes: bytesOf(graph, 1).map(nodeOf), constants };
}

function damaged(why: string): Error {
  return new Error(`not a whole network in ONNX's format: ${why}`);
}

function nodeOf(bytes: Uint8Array): Node {
  const attributes = Object.fromEntries(bytesOf(bytes, 5).map(attributeOf));
  const inputs = bytesOf(bytes, 1).map(text);
  return { op: text(bytesOf(bytes, 4)[0]), inputs, output: text(bytesOf(bytes, 2)[0]), attributes };
}

function attributeOf(bytes: Uint8Array): [string, number[]] {
  return [text(bytesOf(bytes, 1)[0]), [...floats(bytes, 2), ...integers(bytes, 3), ...floats(bytes, 7), ...integers(bytes, 8)]];
}

function tensorOf(bytes: Uint8Array): [string, Constant] {
  const raw = bytesOf(bytes, 9)[0];
  const listed = () => [...floats(bytes, 4), ...integers(bytes, 5), ...integers(bytes, 7)];
  const data = raw ? numbersOf(integers(bytes, 2)[0]!, raw.slice().buffer) : listed();
  return [text(bytesOf(bytes, 8)[0]), { shape: integers(bytes, 1), data: Float32Array.from(data) }];
}

function numbersOf(type: number, raw: ArrayBuffer): Iterable<number> & ArrayLike<number> {
  switch (type) {
    case 1:
      return new Float32Array(raw);
    case 2:
      return new Uint8Array(raw);
    case 3:
      return new Int8Array(raw);
    case 6:
      return new Int32Array(raw);
    case 7:
      return Float64Array.from(new BigInt64Array(raw), Number);
    case 10:
      return Float32Array.from(new Uint16Array(raw), half);
    default:
      throw new Unsupported(`type ${type} of numbers`);
  }
}

/** A number of 16 bits in IEEE 754's form. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const usual = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  const size = exponent < 31 ? usual : fraction ? NaN : Infinity;
  return bits & 0x8000 ? -size : size;
}

type Field = [number: number, value: bigint | Uint8Array];

function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    const [value, next] = varintAt(bytes, at);
    at = next;
    return value;
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw damaged("it ends too early");
    return bytes.subarray(at, (at += length));
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const wire = key & 7;
    if (wire === 0) yield [key >> 3, varint()];
    else if (wire === 1 || wire === 5) yield [key >> 3, take(wire === 1 ? 8 : 4)];
    else if (wire === 2) yield [key >> 3, take(Number(varint()))];
    else throw damaged("no protocol buffer");
  }
}

function valuesOf(bytes: Uint8Array, wanted: number): Field[1][] {
  return [...fields(bytes)].filter(([field]) => field === wanted).map(([, value]) => value);
}

function bytesOf(bytes: Uint8Array, field: number): Uint8Array[] {
  return valuesOf(bytes, field).filter((value) => typeof value !== "bigint");
}

/** Signed whole numbers, one by one or packed. */
function integers(bytes: Uint8Array, field: number): number[] {
  const all = valuesOf(bytes, field).flatMap((value) => (typeof value === "bigint" ? [value] : unpacked(value)));
  return all.map((value) => Number(BigInt.asIntN(64, value)));
}

function unpacked(bytes: Uint8Array): bigint[] {
  const all: bigint[] = [];
  for (let at = 0, value: bigint; at < bytes.length; all.push(value)) [value, at] = varintAt(bytes, at);
  return all;
}

function varintAt(bytes: Uint8Array, at: number): [value: bigint, next: number] {
  for (let value = 0n, shift = 0n; ; shift += 7n) {
    const byte = bytes[at++];
    if (byte === undefined) throw damaged("it ends too early");
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

/** Numbers of 32 bits, one by one or packed. */
function floats(bytes: Uint8Array, field: number): number[] {
  return bytesOf(bytes, field).flatMap((value) => [...new Float32Array(value.slice().buffer)]);
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}
