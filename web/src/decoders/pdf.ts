/** PDF by PDFium: pages drawn as /Rotate shows them, and /Rotate set by an update at the end of the file. */
import { init, type WrappedPdfiumModule } from "@embedpdf/pdfium";
import { startsWith } from "../../package/src/bytes.js";
import { DamagedMetadata } from "../../package/src/exif.js";
import { BitmapPixels } from "../../package/src/bitmap.js";
import { pictureOf } from "../../package/src/pixels.js";
import { then, type Turn } from "../../package/src/turns.js";
import { once } from "../../package/src/once.js";
import { Unreadable, type Page, type Writing } from "../page.js";

/** The same as in upright's `pictures/pdf.py`. */
const DPI = 150;
/** A page of 2 m would take a gigabyte. */
const MOST_PIXELS = 40e6;
const ANNOTATIONS = 1;
const RED_FIRST = 0x10;
const WITH_ALPHA = 1;
const PASSWORD = 4;
const INCREMENTAL = 1;
const NOT_APPENDED = "PDFium could not append /Rotate to it; “upright correct” may";

export async function openPdf(file: Blob, page: number, wasm: () => Promise<ArrayBuffer>): Promise<Page> {
  return withDocument(file, wasm, async (pdfium, document, bytes) => {
    const sheet = pdfium.FPDF_LoadPage(document, page);
    if (!sheet) throw new Unreadable("");
    try {
      const bitmap = await createImageBitmap(drawn(pdfium, sheet));
      const picture = pictureOf(new BitmapPixels(bitmap), "other", 1);
      return { picture, pages: pdfium.FPDF_GetPageCount(document), writing: writingOf(pdfium, document, bytes) };
    } finally {
      pdfium.FPDF_ClosePage(sheet);
    }
  });
}

/** The file with an update of /Rotate behind it; the file itself where viewers would not agree on that. */
export async function turnPdf(file: Blob, turns: readonly Turn[], wasm: () => Promise<ArrayBuffer>): Promise<Blob> {
  return withDocument(file, wasm, async (pdfium, document, bytes) => {
    if (writingOf(pdfium, document, bytes).method === "cannot") return file;
    turns.forEach((turn, page) => turn && rotate(pdfium, document, page, turn));
    const update = written(pdfium, document);
    if (update.length <= bytes.length || bytes.some((byte, at) => update[at] !== byte)) throw new DamagedMetadata(NOT_APPENDED);
    return new Blob([file, update.subarray(bytes.length)], { type: "application/pdf" });
  });
}

function writingOf(pdfium: WrappedPdfiumModule, document: number, bytes: Uint8Array): Writing {
  // PDFium leaves out what stands before, and viewers do not agree on where offsets count from.
  if (!startsWith(bytes, "%PDF-")) return { method: "cannot", why: "pdfHeader" };
  if (pdfium.FPDF_GetSecurityHandlerRevision(document) !== -1) return { method: "cannot", why: "pdfEncrypted" };
  if (!pdfium.FPDF_DocumentHasValidCrossReferenceTable(document)) return { method: "cannot", why: "pdfDamaged" };
  return { method: "tag", why: "pdf", mirrored: { method: "cannot", why: "pdfMirrored" } };
}

async function withDocument<Answer>(
  file: Blob,
  wasm: () => Promise<ArrayBuffer>,
  use: (pdfium: WrappedPdfiumModule, document: number, bytes: Uint8Array) => Promise<Answer>,
): Promise<Answer> {
  const pdfium = await opened(wasm);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const at = pdfium.pdfium.wasmExports.malloc(bytes.length);
  memory(pdfium).set(bytes, at);
  const document = pdfium.FPDF_LoadMemDocument(at, bytes.length, "");
  try {
    if (!document) throw new Unreadable(pdfium.FPDF_GetLastError() === PASSWORD ? "locked" : "");
    return await use(pdfium, document, bytes);
  } finally {
    if (document) pdfium.FPDF_CloseDocument(document);
    pdfium.pdfium.wasmExports.free(at);
  }
}

function drawn(pdfium: WrappedPdfiumModule, sheet: number): ImageData {
  const [wide, high] = [pdfium.FPDF_GetPageWidthF(sheet), pdfium.FPDF_GetPageHeightF(sheet)];
  const scale = Math.min(DPI / 72, Math.sqrt(MOST_PIXELS / (wide * high)));
  const [width, height] = [wide, high].map((length) => Math.max(1, Math.round(length * scale))) as [number, number];
  const bitmap = pdfium.FPDFBitmap_Create(width, height, WITH_ALPHA);
  if (!bitmap) throw new Unreadable("");
  pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xffffffff);
  pdfium.FPDF_RenderPageBitmap(bitmap, sheet, 0, 0, width, height, 0, ANNOTATIONS | RED_FIRST);
  const at = pdfium.FPDFBitmap_GetBuffer(bitmap);
  const pixels = new ImageData(width, height);
  pixels.data.set(memory(pdfium).subarray(at, at + pixels.data.length));
  pdfium.FPDFBitmap_Destroy(bitmap);
  return pixels;
}

function rotate(pdfium: WrappedPdfiumModule, document: number, page: number, turn: Turn): void {
  const sheet = pdfium.FPDF_LoadPage(document, page);
  const before = (pdfium.FPDFPage_GetRotation(sheet) * 90) as Turn;
  pdfium.FPDFPage_SetRotation(sheet, then(before, turn) / 90);
  pdfium.FPDF_ClosePage(sheet);
}

function written(pdfium: WrappedPdfiumModule, document: number): Uint8Array<ArrayBuffer> {
  const writer = pdfium.PDFiumExt_OpenFileWriter();
  try {
    if (!pdfium.FPDF_SaveAsCopy(document, writer, INCREMENTAL)) throw new DamagedMetadata(NOT_APPENDED);
    const size = pdfium.PDFiumExt_GetFileWriterSize(writer);
    const at = pdfium.pdfium.wasmExports.malloc(size);
    pdfium.PDFiumExt_GetFileWriterData(writer, at, size);
    const bytes = memory(pdfium).slice(at, at + size) as Uint8Array<ArrayBuffer>;
    pdfium.pdfium.wasmExports.free(at);
    return bytes;
  } finally {
    pdfium.PDFiumExt_CloseFileWriter(writer);
  }
}

/** Its memory as bytes; a new view each time, as it moves when it grows. */
function memory({ pdfium }: WrappedPdfiumModule): Uint8Array<ArrayBuffer> {
  return (pdfium as unknown as { HEAPU8: Uint8Array<ArrayBuffer> }).HEAPU8;
}

const opened = once(async (wasm: () => Promise<ArrayBuffer>): Promise<WrappedPdfiumModule> => {
  const pdfium = await init({ wasmBinary: await wasm() });
  pdfium.PDFiumExt_Init();
  return pdfium;
});
