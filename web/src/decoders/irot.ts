/**
 * The turn of a HEIC or AVIF is its property `irot` (ISO/IEC 23008-12, 6.5.10), a byte, in quarters counterclockwise, and
 * the mirror `imir` (6.5.12). They are changed or added as in upright's `carriers/heif.py`, and with them those of thumbnails,
 * depth and gain maps, and an EXIF orientation that said the same. Several pictures are refused here.
 */
import { concat } from "../../package/src/bytes.js";
import { DamagedMetadata } from "../../package/src/exif.js";
import { compose, turnOf, type ExifOrientation, type Way } from "../../package/src/turns.js";
import { boxes, SEQUENCE, type Box } from "./boxes.js";

/** Boxes beside the items whose offsets count from the start of the file: of frames, and of further items. */
const FIXED = [...SEQUENCE, "meco"];

/** The number of a property that an item has, from 1, and whether a reader has to understand it. */
interface Link {
  number: number;
  essential: boolean;
}

/** A number in the file. */
interface Place {
  at: number;
  size: number;
  value: number;
}

/** Where the bytes of an item are: in the file (`method` 0) or elsewhere. Offsets count from `base`. */
interface Extents {
  item: number;
  method: number;
  base: Place;
  offsets: Place[];
}

interface Reference {
  kind: string;
  from: number;
  to: number[];
}

/** A transformation: its place among an item's properties, the type of its box, and the byte that it holds. */
interface Step {
  at: number;
  kind: string;
  value: number;
}

/** The same file, mirrored and turned clockwise. Throws `DamagedMetadata` where that takes more. */
export function changeHeif(file: Uint8Array, way: Way): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(file);
  try {
    return new Heif(bytes).changed(way);
  } catch (error) {
    if (error instanceof RangeError) throw new DamagedMetadata("the boxes are cut short");
    throw error;
  }
}

/** How stored pixels become shown ones by these transformations, in their order. */
function shown(steps: readonly Step[]): ExifOrientation {
  const one = (before: ExifOrientation, { kind, value }: Step) =>
    // Axis 0 exchanges top and bottom, 1 left and right.
    compose(before, kind === "irot" ? { mirrored: false, turn: turnOf(4 - (value & 3)) } : { mirrored: true, turn: value & 1 ? 0 : 180 });
  return [...steps].sort((a, b) => a.at - b.at).reduce(one, 1);
}

/** The value of an `irot` that shows it so, put first where there is none; `undefined` where it takes a mirror, too. */
function turnAmong(steps: readonly Step[], wanted: ExifOrientation): number | undefined {
  const at = steps.find(({ kind }) => kind === "irot")?.at ?? -1;
  const rest = steps.filter((step) => step.at !== at);
  return [0, 1, 2, 3].find((value) => shown([...rest, { at, kind: "irot", value }]) === wanted);
}

/** A turn, if it takes one, and a mirror, if it takes one, that show stored pixels so. */
function transformations(wanted: ExifOrientation): Step[] {
  const turns = [[], ...[1, 2, 3].map((value) => [{ at: 0, kind: "irot", value }])];
  const all = [[], [{ at: 1, kind: "imir", value: 1 }]].flatMap((mirror) => turns.map((turn) => [...turn, ...mirror]));
  return all.find((steps) => shown(steps) === wanted)!;
}

class Heif {
  private readonly view: DataView;
  private readonly file: Box[];
  private readonly meta: Box[];
  private readonly properties: Box[];
  private readonly ipco: Box;
  private readonly ipma: Box;
  private readonly parents: Box[];
  private readonly associations: Map<number, Link[]>;
  private readonly references: Reference[];
  private readonly primary: number;

  constructor(private readonly bytes: Uint8Array<ArrayBuffer>) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.file = [...boxes(bytes)];
    const meta = this.only(this.file, "meta");
    this.meta = this.boxes(meta.start + 4, meta.end);
    const pitm = this.only(this.meta, "pitm");
    this.primary = this.id(pitm.start + 4, this.version(pitm) > 0);
    const iprp = this.only(this.meta, "iprp");
    const parts = this.boxes(iprp.start, iprp.end);
    this.ipco = this.only(parts, "ipco");
    this.ipma = this.only(parts, "ipma");
    this.parents = [meta, iprp, this.ipco];
    this.properties = this.boxes(this.ipco.start, this.ipco.end);
    this.associations = this.readAssociations(this.ipma);
    this.references = this.readReferences(this.meta.find(({ kind }) => kind === "iref"));
  }

  changed(way: Way): Uint8Array<ArrayBuffer> {
    if (this.references.some((each) => each.kind === "dimg" && each.to.includes(this.primary) && !this.isToneMapped(each))) {
      throw new DamagedMetadata("another picture is made of it");
    }
    const before = this.orientation(this.primary);
    const wanted = new Map([this.primary, ...this.followers(before)].map((item) => [item, compose(this.orientation(item), way)]));
    const inPlace = new Map<number, number>();
    const added: Step[] = [];
    let linked = false;
    for (const [item, orientation] of [...wanted].sort(([a], [b]) => a - b)) {
      const there = this.associations.get(item) ?? [];
      const own = there.map((link) => ({ ...link, essential: link.essential || this.transforms(link) }));
      const steps = this.steps(item);
      const value = turnAmong(steps, orientation);
      const turn = steps.find(({ kind }) => kind === "irot");
      const number = turn && own[turn.at]!.number;
      if (number !== undefined && value !== undefined && this.isOnlyOf(number, wanted) && (inPlace.get(number) ?? value) === value) {
        inPlace.set(number, value);
        if (own.some(({ essential }, at) => essential !== there[at]!.essential)) {
          this.associations.set(item, own);
          linked = true;
        }
        continue;
      }
      const gone = value === undefined ? steps : turn ? [turn] : [];
      const place = Math.min(own.length, ...(gone.length ? gone : steps).map(({ at }) => at));
      const kept = own.filter((_, at) => !gone.some((step) => step.at === at));
      const links = (value === undefined ? transformations(orientation) : [{ at: 0, kind: "irot", value }]).map((step) => {
        if (!added.some((other) => isSame(other, step))) added.push(step);
        return { number: this.properties.length + 1 + added.findIndex((other) => isSame(other, step)), essential: true };
      });
      this.associations.set(item, [...kept.slice(0, place), ...links, ...kept.slice(place)]);
      linked = true;
    }
    for (const [number, value] of inPlace) this.bytes[this.properties[number - 1]!.start] = value;
    this.followInExif(before, way);
    return linked ? this.rewritten(added) : this.bytes;
  }

  /** What is shown with the picture: its thumbnail, and maps and a tone-mapped picture made of these that lie as it does. */
  private followers(before: ExifOrientation): Set<number> {
    const of = (kinds: string) => this.references.filter(({ kind, to }) => kind === kinds && to.includes(this.primary));
    // A tone-mapped picture is made of what is turned already, and follows only where it has a turn of its own.
    const mapped = this.references
      .filter((each) => this.isToneMapped(each))
      .flatMap(({ from, to }) => [...to.slice(1), ...(this.steps(from).length > 0 ? [from] : [])]);
    const maps = [...of("auxl").map(({ from }) => from), ...mapped].filter((item) => this.orientation(item) === before && this.cut(item) === this.cut(this.primary));
    return new Set([...of("thmb").map(({ from }) => from), ...maps]);
  }

  /** The clean aperture of an item, if it has one: libavif opens no file whose maps are cut otherwise, but turned alike. */
  private cut(item: number): string {
    const boxes = (this.associations.get(item) ?? []).map(({ number }) => this.properties[number - 1]!);
    return boxes.filter(({ kind }) => kind === "clap").map(({ start, end }) => this.bytes.slice(start, end).join()).join(";");
  }

  /** Whether a property must be essential (MIAF, ISO/IEC 23000-22, 7.3.9): browsers open no file whose turn is not. */
  private transforms({ number }: Link): boolean {
    return ["clap", "irot", "imir"].includes(this.properties[number - 1]?.kind ?? "");
  }

  private isToneMapped({ kind, from, to }: Reference): boolean {
    return kind === "dimg" && to[0] === this.primary && this.isOfType(from, "tmap");
  }

  private isOnlyOf(number: number, items: ReadonlyMap<number, unknown>): boolean {
    return [...this.associations].every(([item, own]) => items.has(item) || own.every((link) => link.number !== number));
  }

  private orientation(item: number): ExifOrientation {
    return shown(this.steps(item));
  }

  private steps(item: number): Step[] {
    return (this.associations.get(item) ?? []).flatMap(({ number }, at) => {
      const { kind = "", start = 0 } = this.properties[number - 1] ?? {};
      return kind === "irot" || kind === "imir" ? [{ at, kind, value: this.bytes[start]! }] : [];
    });
  }

  /** The same with these properties behind all others, and the links to them. */
  private rewritten(added: readonly Step[]): Uint8Array<ArrayBuffer> {
    const boxes = Uint8Array.from(added.flatMap(({ kind, value }) => [0, 0, 0, 9, ...ascii(kind), value]));
    const ipma = this.packedAssociations();
    const growth = boxes.length + ipma.length - (this.ipma.end - this.ipma.at);
    const fixed = this.file.find(({ kind }) => FIXED.includes(kind));
    if (fixed && growth) throw new DamagedMetadata(`its box ${fixed.kind} has offsets that would be wrong`);
    const behind = this.parents[0]!.end;
    this.parents.forEach((box) => this.grow(box, box === this.ipco ? boxes.length : growth));
    for (const { method, base, offsets } of this.extents()) {
      if (method !== 0) continue;
      const late = offsets.filter(({ value }) => base.value + value >= behind);
      const together = late.length === offsets.length && base.size > 0 && base.value > 0;
      if (late.length) (together ? [base] : late).forEach((place) => this.raise(place, growth));
    }
    const [first, second] = [
      { at: this.ipco.end, end: this.ipco.end, by: boxes },
      { at: this.ipma.at, end: this.ipma.end, by: ipma },
    ].sort((a, b) => a.at - b.at) as [{ at: number; end: number; by: Uint8Array }, { at: number; end: number; by: Uint8Array }];
    const { bytes } = this;
    return concat(bytes.subarray(0, first.at), first.by, bytes.subarray(first.end, second.at), second.by, bytes.subarray(second.end));
  }

  private packedAssociations(): Uint8Array {
    const { start } = this.ipma;
    const [long, flags] = [this.bytes[start]! > 0, this.view.getUint32(start) & 0xffffff];
    const all = [...this.associations].sort(([a], [b]) => a - b);
    const wide = (flags & 1) !== 0 || all.some(([, own]) => own.some(({ number }) => number > 0x7f));
    const numbers = all.flatMap(([item, own]) => [
      ...packed(item, long ? 4 : 2),
      own.length,
      ...own.flatMap(({ number, essential }) => packed(number + (essential ? (wide ? 0x8000 : 0x80) : 0), wide ? 2 : 1)),
    ]);
    const head = [...packed(16 + numbers.length, 4), ...ascii("ipma"), this.bytes[start]!, ...packed(flags | Number(wide), 3)];
    return Uint8Array.of(...head, ...packed(all.length, 4), ...numbers);
  }

  private grow({ at }: Box, by: number): void {
    const size = this.view.getUint32(at);
    // Without a size a box goes on to the end of the file.
    if (size) this.raise(size === 1 ? this.place(at + 8, 8) : this.place(at, 4), by);
  }

  private raise({ at, size, value }: Place, by: number): void {
    if (value + by >= 2 ** (8 * size)) throw new DamagedMetadata("its offsets have no room for more");
    if (size === 8) this.view.setBigUint64(at, BigInt(value + by));
    else this.bytes.set(packed(value + by, size), at);
  }

  private followInExif(before: ExifOrientation, way: Way): void {
    const item = this.references.find(({ kind, to, from }) => kind === "cdsc" && to.includes(this.primary) && this.isOfType(from, "Exif"));
    const start = item && this.placeOf(item.from);
    if (start === undefined) return;
    const tiff = start + 4 + this.view.getUint32(start);
    const little = this.bytes[tiff] === 0x49;
    const directory = tiff + this.view.getUint32(tiff + 4, little);
    for (let entry = 0; entry < this.view.getUint16(directory, little); entry++) {
      const at = directory + 2 + entry * 12;
      if (this.view.getUint16(at, little) !== 0x0112 || this.view.getUint16(at + 2, little) !== 3) continue;
      const said = this.view.getUint16(at + 8, little) as ExifOrientation;
      if (!(said >= 1 && said <= 8)) return;
      if (said === before) this.view.setUint16(at + 8, compose(said, way), little);
    }
  }

  private isOfType(item: number, type: string): boolean {
    const iinf = this.only(this.meta, "iinf");
    const entries = this.boxes(iinf.start + (this.version(iinf) > 0 ? 8 : 6), iinf.end);
    return entries.some((entry) => {
      const wide = this.version(entry) > 2;
      return this.id(entry.start + 4, wide) === item && this.text(entry.start + (wide ? 10 : 8)) === type;
    });
  }

  /** Where an item lies that is in one piece. */
  private placeOf(item: number): number | undefined {
    const found = this.extents().find((each) => each.item === item);
    return found?.method === 0 && found.offsets.length === 1 ? found.base.value + found.offsets[0]!.value : undefined;
  }

  private extents(): Extents[] {
    const iloc = this.only(this.meta, "iloc");
    const version = this.version(iloc);
    const sizes = this.view.getUint16(iloc.start + 4);
    const [offset, length, base, index] = [12, 8, 4, 0].map((shift) => (sizes >> shift) & 15) as [number, number, number, number];
    const wide = version > 1;
    let at = iloc.start + (wide ? 10 : 8);
    return Array.from({ length: this.id(iloc.start + 6, wide) }, () => {
      const item = this.id(at, wide);
      at += wide ? 4 : 2;
      const method = version > 0 ? this.view.getUint16(at) & 15 : 0;
      at += version > 0 ? 2 : 0;
      const elsewhere = this.view.getUint16(at) !== 0;
      const from = this.place(at + 2, base);
      const count = this.view.getUint16(at + 2 + base);
      at += 4 + base + (version > 0 ? index : 0);
      const each = (version > 0 ? index : 0) + offset + length;
      const offsets = Array.from({ length: count }, (_, part) => this.place(at + part * each, offset));
      at += count * each - (version > 0 ? index : 0);
      return { item, method: elsewhere ? -1 : method, base: from, offsets };
    });
  }

  private readAssociations({ start, end }: Box): Map<number, Link[]> {
    const [wide, large] = [this.bytes[start]! > 0, (this.bytes[start + 3]! & 1) !== 0];
    const found = new Map<number, Link[]>();
    let at = start + 8;
    for (let count = this.view.getUint32(start + 4); count > 0 && at < end; count--) {
      const item = this.id(at, wide);
      at += wide ? 4 : 2;
      const own = Array.from({ length: this.view.getUint8(at) }, (_, each) => {
        const [value, top] = large ? [this.view.getUint16(at + 1 + each * 2), 0x8000] : [this.view.getUint8(at + 1 + each), 0x80];
        return { number: value % top, essential: value >= top };
      });
      at += 1 + own.length * (large ? 2 : 1);
      found.set(item, own);
    }
    return found;
  }

  private readReferences(iref: Box | undefined): Reference[] {
    if (!iref) return [];
    const wide = this.version(iref) > 0;
    const size = wide ? 4 : 2;
    return this.boxes(iref.start + 4, iref.end).map(({ kind, start }) => {
      const count = this.view.getUint16(start + size);
      const to = Array.from({ length: count }, (_, each) => this.id(start + size + 2 + each * size, wide));
      return { kind, from: this.id(start, wide), to };
    });
  }

  private boxes(start: number, end: number): Box[] {
    return [...boxes(this.bytes, start, end)];
  }

  private only(boxes: Box[], kind: string): Box {
    const found = boxes.filter((box) => box.kind === kind);
    if (found.length !== 1) throw new DamagedMetadata(`${found.length} boxes are called ${kind}`);
    return found[0]!;
  }

  private version({ start }: Box): number {
    return this.view.getUint8(start);
  }

  private id(at: number, wide: boolean): number {
    return wide ? this.view.getUint32(at) : this.view.getUint16(at);
  }

  private sized(at: number, size: number): number {
    if (size === 0) return 0;
    return size === 8 ? Number(this.view.getBigUint64(at)) : this.view.getUint32(at);
  }

  private place(at: number, size: number): Place {
    return { at, size, value: this.sized(at, size) };
  }

  private text(at: number): string {
    return String.fromCharCode(...this.bytes.subarray(at, at + 4));
  }
}

function isSame(one: Step, other: Step): boolean {
  return one.kind === other.kind && one.value === other.value;
}

function packed(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, at) => (value >>> (8 * (size - 1 - at))) & 0xff);
}

function ascii(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}
