/**
 * The turn of a HEIC or AVIF is its property `irot` (ISO/IEC 23008-12, 6.5.10): a byte, in quarters counterclockwise.
 * It is changed, and with it that of thumbnails, depth and gain maps, and an EXIF orientation that said the same.
 * What is not that simple (no `irot`, mirrored, several pictures) is refused; upright's `carriers/heif.py` does more.
 */
import { DamagedMetadata } from "../../package/src/exif.js";
import { compose, partsOf, then, turnOf, type ExifOrientation, type Turn } from "../../package/src/turns.js";

interface Box {
  kind: string;
  /** Of what it holds. */
  start: number;
  end: number;
}

/** Kinds of references from what goes with a picture to it. */
const FOLLOWERS = ["thmb", "auxl"];

/** The same file, turned clockwise. Throws `DamagedMetadata` where that takes more than a changed byte. */
export function turnHeif(file: Uint8Array, turn: Turn): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(file);
  try {
    new Heif(bytes).turn(turn);
  } catch (error) {
    if (error instanceof RangeError) throw new DamagedMetadata("the boxes are cut short");
    throw error;
  }
  return bytes;
}

class Heif {
  private readonly view: DataView;
  private readonly meta: Box[];
  private readonly properties: Box[];
  private readonly associations: Map<number, number[]>;
  private readonly references: { kind: string; from: number; to: number[] }[];
  private readonly primary: number;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const meta = this.only(this.boxes(0, bytes.length), "meta");
    this.meta = this.boxes(meta.start + 4, meta.end);
    const pitm = this.only(this.meta, "pitm");
    this.primary = this.id(pitm.start + 4, this.version(pitm) > 0);
    const iprp = this.only(this.meta, "iprp");
    const parts = this.boxes(iprp.start, iprp.end);
    const ipco = this.only(parts, "ipco");
    this.properties = this.boxes(ipco.start, ipco.end);
    this.associations = this.readAssociations(this.only(parts, "ipma"));
    this.references = this.readReferences(this.meta.find(({ kind }) => kind === "iref"));
  }

  turn(turn: Turn): void {
    const items = [this.primary];
    for (const { kind, from, to } of this.references) if (FOLLOWERS.includes(kind) && to.includes(this.primary)) items.push(from);
    const indices = new Set(items.map((item) => this.turnOfItem(item)));
    const angles = new Set([...indices].map((index) => this.bytes[this.properties[index - 1]!.start]! & 3));
    if (angles.size !== 1) throw new DamagedMetadata("thumbnails are turned otherwise");
    for (const [item, own] of this.associations) {
      if (!items.includes(item) && own.some((index) => indices.has(index))) throw new DamagedMetadata("a turn is shared");
    }
    const [angle] = [...angles] as [number];
    const before = turnOf(4 - angle);
    for (const index of indices) {
      const at = this.properties[index - 1]!.start;
      this.bytes[at] = (this.bytes[at]! & ~3) | ((4 - then(before, turn) / 90) & 3);
    }
    this.followInExif(before, turn);
  }

  /** The number of the property by which an item is turned. */
  private turnOfItem(item: number): number {
    const own = this.associations.get(item) ?? [];
    const kinds = own.map((index) => this.properties[index - 1]?.kind);
    if (kinds.includes("imir")) throw new DamagedMetadata("the picture is mirrored");
    const at = kinds.indexOf("irot");
    if (at < 0) throw new DamagedMetadata("the picture has no turn that could be changed");
    return own[at]!;
  }

  private followInExif(before: Turn, turn: Turn): void {
    const item = this.references.find(({ kind, to, from }) => kind === "cdsc" && to.includes(this.primary) && this.isExif(from));
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
      const { mirrored, turn: shown } = partsOf(said);
      if (!mirrored && shown === before) this.view.setUint16(at + 8, compose(said, turn), little);
    }
  }

  private isExif(item: number): boolean {
    const iinf = this.only(this.meta, "iinf");
    const entries = this.boxes(iinf.start + (this.version(iinf) > 0 ? 8 : 6), iinf.end);
    return entries.some((entry) => {
      const wide = this.version(entry) > 2;
      return this.id(entry.start + 4, wide) === item && this.text(entry.start + (wide ? 10 : 8)) === "Exif";
    });
  }

  /** Where an item lies that is in one piece. */
  private placeOf(item: number): number | undefined {
    const iloc = this.only(this.meta, "iloc");
    const version = this.version(iloc);
    const sizes = this.view.getUint16(iloc.start + 4);
    const [offset, length, base, index] = [12, 8, 4, 0].map((shift) => (sizes >> shift) & 15) as [number, number, number, number];
    const wide = version > 1;
    let at = iloc.start + (wide ? 10 : 8);
    for (let count = this.id(iloc.start + 6, wide); count > 0; count--) {
      const id = this.id(at, wide);
      at += wide ? 4 : 2;
      const method = version > 0 ? this.view.getUint16(at) & 15 : 0;
      at += (version > 0 ? 2 : 0) + 2;
      const from = this.sized(at, base);
      const extents = this.view.getUint16(at + base);
      at += base + 2;
      const each = (version > 0 ? index : 0) + offset + length;
      if (id === item) return method === 0 && extents === 1 ? from + this.sized(at + each - offset - length, offset) : undefined;
      at += extents * each;
    }
    return undefined;
  }

  private readAssociations({ start, end }: Box): Map<number, number[]> {
    const [wide, large] = [this.bytes[start]! > 0, (this.bytes[start + 3]! & 1) !== 0];
    const found = new Map<number, number[]>();
    let at = start + 8;
    for (let count = this.view.getUint32(start + 4); count > 0 && at < end; count--) {
      const item = this.id(at, wide);
      at += wide ? 4 : 2;
      const own = Array.from({ length: this.view.getUint8(at) }, (_, each) =>
        large ? this.view.getUint16(at + 1 + each * 2) & 0x7fff : this.view.getUint8(at + 1 + each) & 0x7f,
      );
      at += 1 + own.length * (large ? 2 : 1);
      found.set(item, own);
    }
    return found;
  }

  private readReferences(iref: Box | undefined) {
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
    const found: Box[] = [];
    for (let at = start; at + 8 <= end; ) {
      let [size, head] = [this.view.getUint32(at), 8];
      if (size === 1) [size, head] = [Number(this.view.getBigUint64(at + 8)), 16];
      if (size === 0) size = end - at;
      if (size < head || at + size > end) throw new DamagedMetadata("the boxes are cut short");
      found.push({ kind: this.text(at + 4), start: at + head, end: at + size });
      at += size;
    }
    return found;
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

  private text(at: number): string {
    return String.fromCharCode(...this.bytes.subarray(at, at + 4));
  }
}
