// Pictures that are chosen, dropped or pasted.

const LARGEST_SIDE = 1024; // what is sent of a photo: far more than the network sees

// A button that opens the file chooser; on a phone also the camera.
export function chooser(text, take) {
  const label = document.createElement("label");
  label.className = "button";
  label.append(text);
  const field = document.createElement("input");
  field.type = "file";
  field.accept = "image/*";
  field.addEventListener("change", () => { if (field.files[0]) take(field.files[0]); field.value = ""; });
  label.append(field);
  return label;
}

// Takes what is dropped on the element, or pasted anywhere.
export function drops(element, take) {
  const all = (event, over) => { event.preventDefault(); element.classList.toggle("over", over); };
  element.addEventListener("dragover", (event) => all(event, true));
  element.addEventListener("dragleave", (event) => all(event, false));
  element.addEventListener("drop", (event) => { all(event, false); if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]); });
  document.addEventListener("paste", (event) => { if (event.clipboardData.files[0]) take(event.clipboardData.files[0]); });
}

// The picture as a canvas of a size that is worth sending. A file that is none becomes an Error.
export async function unpack(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || "That"} is no picture that the browser can open.`);
  }
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

export async function png(canvas) {
  return { body: await new Promise((resolve) => canvas.toBlob(resolve, "image/png")), type: "image/png" };
}

// Draws a picture as large as it fits onto a context of the given side.
export function fit(context, picture, side) {
  const scale = side / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
}

// A canvas that keeps as many pixels as the screen shows of it.
export function sharp(canvas, redraw) {
  new ResizeObserver(() => {
    canvas.width = canvas.height = Math.round(canvas.clientWidth * devicePixelRatio);
    redraw();
  }).observe(canvas);
}
