// Are the rows of this host the right ones? Of each model, how far they are from canonical.json
// (status 1 where one is wrong):
//
//     node canonical.mjs ../../onnx

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web"; // onnxruntime-node is faster and has the same interface
import { describeFrames, describeSound, loadModels } from "./vcd.mjs";

const floor = Math.floor;

/** Return the picture of canonical.json: bytes by row, column, channel. */
function picture(k, height, width) {
  const pixels = new Uint8Array(height * width * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const u = floor(x / (6 + 5 * k));
        const v = floor(y / (21 - 4 * k));
        const t = (37 * u * u + 59 * v * v + (11 + k) * u * v + 83 * c * (u + v) + x + 2 * y) % 512;
        pixels[at++] = Math.min(t, 511 - t);
      }
    }
  }
  return pixels;
}

/** Return the sound of canonical.json. */
function sound(k, length) {
  return Float32Array.from({ length }, (_, i) => {
    const t = floor((i * i * (k + 1)) / 16) % 65536;
    return (Math.min(t, 65535 - t) - 16384) / 32768;
  });
}

function adler32({ buffer }) {
  let [a, b] = [1, 0];
  for (const byte of new Uint8Array(buffer)) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

const folder = process.argv[2];
const models = await loadModels(ort, (path) => readFile(`${folder}/${path}`));
for (const stream of ["visual", "audio"].filter((stream) => models[stream])) {
  const { id, canonical } = models[stream].info;
  if (!canonical) {
    console.log(`${id}: brings no canonical rows`);
    continue;
  }
  let apart = 0;
  for (const one of JSON.parse(await readFile(`${folder}/${canonical}`)).inputs) {
    const [, ...size] = one.shape;
    const made = stream === "visual" ? picture(one.k, ...size) : sound(one.k, ...size);
    if (adler32(made) !== one.adler32) throw Error(`input ${one.k} is not made by the formula`);
    const rows = await (stream === "visual"
      ? describeFrames(models, made, size[1], size[0])
      : describeSound(models, made));
    const differences = rows.flatMap((row, i) => [...row].map((x, j) => x - one.rows[i][j]));
    apart = Math.max(apart, ...differences.map(Math.abs));
  }
  const right = apart < 1e-3; // not so where it is no number, either
  console.log(`${id}: canonical rows to ${apart.toExponential(0)}${right ? "" : " - WRONG"}`);
  if (!right) process.exitCode = 1;
}
