/**
 * Runs a network in ONNX's format on one view at a time: convolutions by XNNPACK, the little that is left here.
 *
 * Values of four dimensions lie as XNNPACK wants them, channels last; shapes here are as they lie. Weights of 8 bits are
 * numbers again, and what lies between the layers stays in full precision: a network for 8 bits answers a little better
 * than where it runs in 8 bits, and as fast.
 */
import type { Running } from "./engine.js";
import { readOnnx, Unsupported, type Constant, type Node } from "./onnx.js";
import { OPERATORS, product, rangeOf } from "./operators.js";
import type { Rgb } from "./resize.js";
import { ACTIVATION, Xnnpack, type Buffer } from "./xnnpack.js";

/** Numbers of which nothing is known yet but where they will be. */
export interface Value {
  shape: number[];
  buffer: Buffer;
}

type Step = () => void;
type Fill = (to: Float32Array, ...from: Float32Array[]) => void;

export class Network implements Running {
  private constructor(
    private readonly xnnpack: Xnnpack,
    private readonly input: Value,
    private readonly output: Value,
    private readonly steps: readonly Step[],
  ) {}

  /** Throws `Unsupported` for a network that this cannot run. */
  static async open(weights: Uint8Array, side: number, binary: BufferSource): Promise<Network> {
    const graph = readOnnx(weights);
    const unknown = graph.nodes.find(({ op }) => !(op in OPERATORS));
    if (unknown) throw new Unsupported(unknown.op);
    const builder = new Builder(await Xnnpack.open(binary), graph.constants);
    const input = builder.value([1, side, side, 3]);
    builder.values.set(graph.input, input);
    const nodes = fused(graph.nodes, graph.constants);
    for (const [at, node] of nodes.entries()) builder.add(node, nodes.slice(at + 1), graph.output);
    return new Network(builder.xnnpack, input, builder.get(graph.output), builder.steps);
  }

  /** What the network answers of a view. */
  run({ data }: Rgb): Float32Array {
    this.xnnpack.view(this.input.buffer).set(data);
    for (const step of this.steps) step();
    return this.xnnpack.view(this.output.buffer).slice();
  }

  close(): void {
    this.xnnpack.close();
  }
}

/** The nodes, with clamps inside the convolution before them where XNNPACK has them there: attribute `activation`. */
function fused(nodes: readonly Node[], constants: ReadonlyMap<string, Constant>): Node[] {
  const users = new Map<string, number>();
  for (const name of nodes.flatMap(({ inputs }) => inputs)) users.set(name, (users.get(name) ?? 0) + 1);
  const convolutions = new Map(nodes.filter(({ op }) => op === "Conv").map((node) => [node.output, node]));
  return nodes.map((node) => {
    const before = convolutions.get(node.inputs[0] ?? "");
    if (!before || users.get(before.output) !== 1) return node;
    const [least, most] = rangeOf(node, constants);
    if (least !== 0 || (most !== 6 && most !== Infinity)) return node;
    before.attributes["activation"] = [most === 6 ? ACTIVATION.relu6 : ACTIVATION.relu];
    return { ...node, op: "Identity" };
  });
}

export class Builder {
  readonly values = new Map<string, Value>();
  readonly steps: Step[] = [];
  private readonly free: Buffer[] = [];

  constructor(
    readonly xnnpack: Xnnpack,
    readonly constants: Map<string, Constant>,
  ) {}

  /** Add a node's work; what no later node needs makes room. */
  add(node: Node, later: readonly Node[], output: string): void {
    OPERATORS[node.op]!(node, this);
    const needed = new Set([output, ...later.flatMap(({ inputs }) => inputs)]);
    const gone = [...this.values].filter(([name]) => !needed.has(name));
    for (const [name] of gone) this.values.delete(name);
    // Values of several names lie in one place.
    const taken = new Set([...this.values.values()].map(({ buffer }) => buffer.at));
    for (const [, { buffer }] of gone) {
      if (!taken.has(buffer.at)) this.free.push(buffer);
      taken.add(buffer.at);
    }
  }

  get(name: string): Value {
    const value = this.values.get(name);
    if (!value) throw new Unsupported(`${name} is no number that the picture has to do with`);
    return value;
  }

  constant(name: string | undefined): Constant {
    const found = this.constants.get(name ?? "");
    if (!found) throw new Unsupported(`${name} is not known before the picture is`);
    return found;
  }

  /** A new value, in room that is free again where there is enough. */
  value(shape: number[]): Value {
    const size = product(shape);
    const fits = this.free.filter((buffer) => buffer.size >= size).sort((a, b) => a.size - b.size)[0];
    if (fits) this.free.splice(this.free.indexOf(fits), 1);
    return { shape, buffer: fits ? this.xnnpack.at(fits.at, size) : this.xnnpack.allocate(size) };
  }

  /** Numbers that stay. */
  kept(numbers: Float32Array): Buffer {
    const buffer = this.xnnpack.allocate(numbers.length);
    this.xnnpack.view(buffer).set(numbers);
    return buffer;
  }

  /** A value whose numbers `fill` makes of those of its inputs. */
  computed(name: string, shape: number[], from: readonly Value[], fill: Fill): void {
    const to = this.value(shape);
    const view = (value: Value) => this.xnnpack.view(value.buffer);
    this.steps.push(() => fill(view(to), ...from.map(view)));
    this.values.set(name, to);
  }
}
