// Describes raw pixels and raw sound under Node, as plain_onnxruntime.py does:
//
//     npm ci
//     node describe.mjs ../../onnx 128 128 frames.rgb sound.f32 > descriptors.json

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web"; // onnxruntime-node is faster and has the same interface
import { describeFrames, describeSound, loadModels } from "./vcd.mjs";

const [folder, width, height, frames, sound] = process.argv.slice(2);
const models = await loadModels(ort, (path) => readFile(`${folder}/${path}`));
const samples = await readFile(sound);
const found = {
  visual: await describeFrames(models, await readFile(frames), Number(width), Number(height)),
  audio: await describeSound(models, new Float32Array(new Uint8Array(samples).buffer)),
};
process.stdout.write(JSON.stringify(found, (_, x) => (x instanceof Float32Array ? [...x] : x)));
