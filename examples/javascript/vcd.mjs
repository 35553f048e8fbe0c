// Describes raw pixels and raw sound with vcd's models, in a browser or under Node.
//
// `ort` is onnxruntime-web or onnxruntime-node; both have one interface.

/**
 * Load the default models.
 *
 * @param ort the ONNX Runtime module
 * @param read async function from a path inside the folder `onnx` to a Uint8Array
 */
export async function loadModels(ort, read) {
  const manifest = JSON.parse(new TextDecoder().decode(await read("models.json")));
  const models = {};
  for (const [stream, id] of Object.entries(manifest.defaults)) {
    const info = manifest.models.find((model) => model.id === id);
    const session = await ort.InferenceSession.create(await read(info.file), {
      executionProviders: [ort.env.webgl ? "wasm" : "cpu"],
    });
    models[stream] = { info, session };
  }
  return { ort, ...models };
}

/**
 * Describe frames.
 *
 * @param pixels Uint8Array of frames * height * width * 3, RGB
 * @returns one Float32Array of 256 numbers a frame, of unit length
 */
export async function describeFrames(models, pixels, width, height) {
  const count = pixels.length / (width * height * 3);
  const frames = new models.ort.Tensor("uint8", pixels, [count, height, width, 3]);
  const { descriptor } = await models.visual.session.run({ frames });
  return rows(descriptor);
}

/**
 * Describe sound, a row every quarter second.
 *
 * @param sound Float32Array of mono samples at 16 kHz, in [-1, 1]
 * @returns one Float32Array of 128 numbers a window of two seconds, of unit length
 */
export async function describeSound(models, sound) {
  const { sample_rate, window, hop } = models.audio.info.input;
  const length = Math.round(window * sample_rate);
  const step = Math.round(hop * sample_rate);
  const count = Math.max(1, Math.floor((sound.length - length) / step) + 1);
  const windows = new Float32Array(count * length);
  for (let i = 0; i < count; i++) {
    windows.set(sound.subarray(i * step, i * step + length), i * length);
  }
  const samples = new models.ort.Tensor("float32", windows, [count, length]);
  const { descriptor } = await models.audio.session.run({ samples });
  return rows(descriptor);
}

/** Return the cosine of every row of the query with every row of the reference. */
export function similarity(query, reference) {
  return query.map((q) => reference.map((r) => q.reduce((sum, x, i) => sum + x * r[i], 0)));
}

/** Return the RGB pixels of a canvas's RGBA. */
export function rgb(rgba) {
  const pixels = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from++) {
    if (from % 4 !== 3) pixels[to++] = rgba[from];
  }
  return pixels;
}

function rows({ data, dims: [count, dimensions] }) {
  return Array.from({ length: count }, (_, i) => data.slice(i * dimensions, (i + 1) * dimensions));
}
