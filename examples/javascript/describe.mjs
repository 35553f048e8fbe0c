// Describes raw pixels and raw sound under Node, as plain_onnxruntime.py does; of two videos also
// the matrices:
//
//     npm ci
//     node describe.mjs ../../onnx 128 128 frames.rgb sound.f32 > descriptors.json
//     node describe.mjs ../../onnx 128 128 frames.rgb sound.f32 other.rgb other.f32 > both.json

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web"; // onnxruntime-node is faster and has the same interface
import { copied, describeFrames, describeSound, excess, loadModels } from "./vcd.mjs";

const [folder, width, height, ...files] = process.argv.slice(2);
const models = await loadModels(ort, (path) => readFile(`${folder}/${path}`));

async function describe(frames, sound) {
  const samples = new Uint8Array(await readFile(sound));
  return {
    visual: await describeFrames(models, await readFile(frames), Number(width), Number(height)),
    audio: await describeSound(models, new Float32Array(samples.buffer)),
  };
}

const found = await describe(files[0], files[1]);
if (files.length > 2) {
  const reference = await describe(files[2], files[3]);
  const matrices = { excess: {}, copied: {} };
  for (const stream of ["visual", "audio"]) {
    matrices.excess[stream] = excess(models, stream, found[stream], reference[stream]);
    matrices.copied[stream] = await copied(models, matrices.excess[stream]);
  }
  Object.assign(found, matrices);
}
process.stdout.write(JSON.stringify(found, (_, x) => (x instanceof Float32Array ? [...x] : x)));
