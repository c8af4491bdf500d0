/** Pictures come in by choosing, dropping (folders too) and pasting. */
export interface Found {
  file: File;
  name: string;
}

const MAY_BE_A_PICTURE = /^image\/|^$|^application\/(octet-stream|pdf|dicom)$/;
const NEVER_A_PICTURE = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)$/;

export function takeIn(
  zone: HTMLElement,
  inputs: HTMLInputElement[],
  found: (pictures: Found[]) => void,
  /** Files or folders were given, and no picture among them. */
  none: () => void,
): void {
  const give = (pictures: Found[]) => {
    const wanted = pictures.filter(({ file, name }) => MAY_BE_A_PICTURE.test(file.type) && !NEVER_A_PICTURE.test(name));
    if (wanted.length) found(wanted);
    else none();
  };

  for (const input of inputs) {
    input.addEventListener("change", () => {
      give(named([...(input.files ?? [])]));
      input.value = "";
    });
  }

  // Text can be pasted and dropped, too, which is no file.
  const giveFiles = (files: File[]) => files.length && give(named(files));
  window.addEventListener("paste", ({ clipboardData }) => giveFiles([...(clipboardData?.files ?? [])]));

  let depth = 0;
  const mark = (change: number) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  window.addEventListener("dragenter", () => mark(1));
  window.addEventListener("dragleave", () => mark(-1));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    const data = event.dataTransfer;
    if (!data) return;
    // Entries must be asked for before the handler returns.
    const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry != null);
    if (entries.length) void Promise.all(entries.map(walked)).then((all) => give(all.flat()));
    else giveFiles([...data.files]);
  });
}

function named(files: File[]): Found[] {
  return files.map((file) => ({ file, name: file.webkitRelativePath || file.name || "picture" }));
}

async function walked(entry: FileSystemEntry): Promise<Found[]> {
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File | undefined>((done) =>
      (entry as FileSystemFileEntry).file(done, () => done(undefined)),
    );
    return file ? [{ file, name }] : [];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: Found[] = [];
  for (;;) {
    // A reader gives a hundred entries or so at a time.
    const some = await new Promise<FileSystemEntry[]>((done) => reader.readEntries(done, () => done([])));
    if (!some.length) return all;
    for (const child of some) all.push(...(await walked(child)));
  }
}
