/** HEIC by libheif, where the browser itself does not read it: the picture as its own `irot` and `imir` show it. */
import { BitmapPixels, type DecodedPicture } from "../../package/src/bitmap.js";
import { pictureOf } from "../../package/src/pixels.js";
import { once } from "../../package/src/once.js";
import { fetched, Unreadable } from "../page.js";

interface Decoded {
  get_width(): number;
  get_height(): number;
  is_primary(): boolean;
  display(pixels: ImageData, done: (pixels: ImageData | null) => void): void;
  free(): void;
}

interface Libheif {
  HeifDecoder: new () => { decode(bytes: Uint8Array): Decoded[] };
}

export async function openHeic(file: Blob, page: number, wasm: () => Promise<ArrayBuffer>): Promise<[DecodedPicture, number]> {
  const { HeifDecoder } = await opened(wasm);
  const images = new HeifDecoder().decode(new Uint8Array(await file.arrayBuffer()));
  // Page 1 is the primary picture, wherever it is in the file, as in upright's `formats/heif.py`.
  images.sort((a, b) => Number(b.is_primary()) - Number(a.is_primary()));
  const image = images[page];
  try {
    if (!image) throw new Unreadable("");
    const pixels = new ImageData(image.get_width(), image.get_height());
    const drawn = await new Promise<ImageData | null>((done) => image.display(pixels, done));
    if (!drawn) throw new Unreadable("");
    const bitmap = await createImageBitmap(drawn);
    return [pictureOf(new BitmapPixels(bitmap), "other", 1), images.length];
  } finally {
    images.forEach((each) => each.free());
  }
}

const opened = once(async (wasm: () => Promise<ArrayBuffer>): Promise<Libheif> => {
  const { default: start } = await fetched(import("libheif-js/libheif-wasm/libheif.js"));
  return start({ wasmBinary: await wasm() }) as Libheif;
});
