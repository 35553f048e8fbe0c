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
  const executionProviders = [ort.env.webgl ? "wasm" : "cpu"];
  const open = async (file) =>
    ort.InferenceSession.create(await read(file), { executionProviders });
  const models = { ort, refiner: manifest.refiner && (await open(manifest.refiner.file)) };
  for (const [stream, id] of Object.entries(manifest.defaults)) {
    const info = manifest.models.find((model) => model.id === id);
    const background =
      info.background && unit(await read(info.background), info.dimensions);
    models[stream] = { info, background, session: await open(info.file) };
  }
  return models;
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

/**
 * Return by how much each cell exceeds what unrelated material reaches there: 0 is chance and 1
 * full evidence. Leave out black frames and silence first.
 *
 * @param stream "visual" or "audio"
 * @param query, reference what describeFrames or describeSound returned
 * @returns one Float32Array for each row of the query
 */
export function excess(models, stream, query, reference) {
  const { background } = models[stream];
  const [q, r] = [query, reference].map((all) => chance(all, background));
  const values = similarity(query, reference).map((line, i) =>
    line.map((cosine, j) => {
      const mean = (q[i].mean + r[j].mean) / 2;
      return (cosine - mean) / (1 - mean);
    }),
  );
  // The matrix tells, too: two videos of one studio resemble each other throughout.
  const step = Math.max(1, Math.round(Math.sqrt((q.length * r.length) / 250000)));
  const some = (list) => list.filter((_, i) => i % step === 0); // of many cells
  const row = values.map((line) => median(some(line)));
  const column = reference.map((_, j) => median(some(values).map((line) => line[j])));
  const middle = median(some(values).flatMap(some));
  const own = (i, j) => Math.min(row[i] + column[j] - middle, Math.max(row[i], column[j]));
  const rest = values.map((line, i) => line.map((value, j) => Math.abs(value - own(i, j))));
  const spread = Math.max(1.4826 * median(some(rest).flatMap(some)), 0.03);
  const shorter = Math.min(q.length, r.length);
  return values.map((line, i) =>
    Float32Array.from(line, (value, j) => {
      const level = (q[i].level + r[j].level) / 2;
      const more = Math.max(own(i, j) + spread - level, 0) * (shorter / (shorter + 25));
      return (value - level - more) / 0.3;
    }),
  );
}

/**
 * Return how probably a copy runs through each cell.
 *
 * @param cells what `excess` returned
 * @returns one Float32Array for each row; null where the models have no refiner
 */
export async function copied(models, cells) {
  if (!models.refiner) return null;
  const { Tensor } = models.ort;
  const flat = Float32Array.from(cells.flatMap((line) => [...line]));
  const given = new Tensor("float32", flat, [cells.length, cells[0].length]);
  return rows((await models.refiner.run({ excess: given })).copied);
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

/** Return the rows of a NumPy file of int8, each of unit length. */
function unit(file, dimensions) {
  const { buffer, byteOffset } = file;
  const start = 10 + new DataView(buffer, byteOffset).getUint16(8, true);
  const data = Float32Array.from(new Int8Array(buffer, byteOffset + start, file.length - start));
  return rows({ data, dims: [data.length / dimensions, dimensions] }).map((row) => {
    const length = Math.hypot(...row);
    return row.map((x) => x / length);
  });
}

/** Return what each row resembles of unrelated material: the mean, and the level of its best. */
function chance(descriptors, background) {
  const rows = Math.max(background.length, 1000);
  const higher = (0.56 * Math.log(rows / 1000)) / Math.sqrt(background[0].length);
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  return similarity(descriptors, background).map((cosines) => {
    const mean = Math.min(Math.max(sum(cosines) / cosines.length, -0.9), 0.9);
    const best = Float64Array.from(cosines).sort().slice(-10);
    return { mean, level: (sum(best) / best.length - higher - mean) / (1 - mean) };
  });
}

/** Return the median, of two in the middle the lower one. */
function median(values) {
  return Float64Array.from(values).sort()[(values.length - 1) >> 1];
}
