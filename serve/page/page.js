// SPDX-License-Identifier: Apache-2.0
// The page of `icseg serve`. It speaks the Open Inference Protocol for labels and confidences, and /v1/segment for files.
'use strict';

const element = id => document.getElementById(id);
const models = new Map(); // name -> [{name, color}]
let file = null;          // the image that is shown
let run = 0;              // counts the images, so that late answers are thrown away

// -- talking to the server

function headers(more = {}) {
  const token = element('token').value;
  return token ? {...more, Authorization: `Bearer ${token}`} : more;
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {...options, headers: headers(options.headers)});
  } catch {
    throw new Error('The server does not answer. Is it still running?');
  }
  if (answer.ok) return answer;
  if (answer.status === 401) element('access').hidden = false;
  let text = `The server answered ${answer.status}.`;
  try { text = (await answer.json()).error; } catch { /* not JSON */ }
  if (answer.status === 401) text = 'This server needs a token. Type it above.';
  if (answer.status === 503 && answer.headers.get('Retry-After')) text = 'The server is busy. Try again in a moment.';
  throw new Error(text);
}

// Labels (Int16Array), confidences (Float32Array), width and height of an image file.
async function label(model, blob) {
  const output = name => ({name, parameters: {binary_data: true}});
  const text = JSON.stringify({
    inputs: [{name: 'image', datatype: 'BYTES', shape: [1], parameters: {binary_data_size: blob.size + 4}}],
    outputs: [output('labels'), output('confidence')],
  });
  const head = new TextEncoder().encode(text), length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, blob.size, true);
  const answer = await ask(`v2/models/${encodeURIComponent(model)}/infer`, {
    method: 'POST',
    headers: {'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': String(head.length)},
    body: new Blob([head, length.buffer, blob]),
  });
  const bytes = await answer.arrayBuffer(), json = Number(answer.headers.get('Inference-Header-Content-Length'));
  const [labels, confidence] = JSON.parse(new TextDecoder().decode(bytes.slice(0, json))).outputs;
  const end = json + labels.parameters.binary_data_size;
  return {
    height: labels.shape[1], width: labels.shape[2], labels: new Int16Array(bytes.slice(json, end)),
    confidence: new Float32Array(bytes.slice(end, end + confidence.parameters.binary_data_size)),
  };
}

// -- messages

function say(text) { element('status').textContent = text; }
function complain(error) {
  say('');
  element('problem').textContent = error ? error.message : '';
  element('problem').hidden = !error;
}

// -- drawing

// Fills the canvas of a view with the colours of all classes, or of one.
function drawColours(view) {
  const {canvas, result, classes, alone} = view;
  const image = new ImageData(result.width, result.height), pixels = new Uint32Array(image.data.buffer);
  const table = new Uint32Array(classes.length);
  classes.forEach(({color: [r, g, b]}, k) => {
    table[k] = alone < 0 || alone === k ? (0xff000000 | b << 16 | g << 8 | r) >>> 0 : 0x90000000;
  });
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[result.labels[i]];
  canvas.getContext('2d').putImageData(image, 0, 0);
}

function showOpacity() {
  for (const canvas of document.querySelectorAll('.colours')) canvas.style.opacity = element('opacity').value / 100;
}

const percent = share => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function swatch([r, g, b]) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const square = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  svg.setAttribute('viewBox', '0 0 10 10');
  svg.setAttribute('aria-hidden', 'true');
  for (const [name, value] of Object.entries({width: 10, height: 10, rx: 2, fill: `rgb(${r} ${g} ${b})`}))
    square.setAttribute(name, value);
  svg.append(square);
  return svg;
}

function fillTable(view) {
  const {result, classes, body} = view, sums = classes.map(() => [0, 0]);
  result.labels.forEach((k, i) => { sums[k][0]++; sums[k][1] += result.confidence[i]; });
  const order = [...sums.keys()].filter(k => sums[k][0]).sort((a, b) => sums[b][0] - sums[a][0]);
  for (const k of order) {
    const row = body.insertRow(), button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-pressed', 'false');
    button.append(swatch(classes[k].color), classes[k].name);
    button.addEventListener('click', () => {
      view.alone = view.alone === k ? -1 : k;
      for (const other of body.querySelectorAll('button'))
        other.setAttribute('aria-pressed', String(other === button && view.alone === k));
      drawColours(view);
    });
    row.insertCell().append(button);
    row.insertCell().append(percent(sums[k][0] / result.labels.length));
    row.insertCell().append(percent(sums[k][1] / sums[k][0]));
  }
}

// Reads the pixel at (x, y) of the image, and marks it if the keyboard chose it.
function read(view, x, y, marked) {
  const {result, classes, under, mark} = view;
  x = Math.min(Math.max(Math.floor(x), 0), result.width - 1);
  y = Math.min(Math.max(Math.floor(y), 0), result.height - 1);
  const i = y * result.width + x;
  view.at = [x, y];
  under.textContent = `${classes[result.labels[i]].name}, ${percent(result.confidence[i])} (${x}, ${y})`;
  mark.hidden = !marked;
  mark.style.left = `${100 * (x + 0.5) / result.width}%`;
  mark.style.top = `${100 * (y + 0.5) / result.height}%`;
}

function listenToPointer(view) {
  const {stack, result} = view;
  stack.addEventListener('pointermove', event => {
    const box = stack.getBoundingClientRect();
    read(view, (event.clientX - box.left) / box.width * result.width,
         (event.clientY - box.top) / box.height * result.height, false);
  });
  stack.addEventListener('keydown', event => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (!way) return;
    event.preventDefault();
    const step = Math.max(1, Math.round(Math.max(result.width, result.height) / 50));
    const [x, y] = view.at ?? [result.width / 2, result.height / 2];
    read(view, x + way[0] * step, y + way[1] * step, true);
  });
}

// -- files

async function download(model, format) {
  const options = {method: 'POST', headers: {'Content-Type': 'application/octet-stream'}, body: file};
  const query = new URLSearchParams({model, format});
  const link = document.createElement('a');
  const stem = (file.name || 'image').replace(/\.[^.]*$/, '');
  try {
    const answer = await ask(`v1/segment?${query}`, options);
    link.href = URL.createObjectURL(await answer.blob());
    link.download = `${stem}_${model}${{png: '.png', overlay: '_overlay.png', polygons: '.coco.json'}[format]}`;
    link.click();
    URL.revokeObjectURL(link.href);
    complain(null);
  } catch (error) { complain(error); }
}

// -- one image

function makeView(model, result, photo) {
  const article = element('view').content.cloneNode(true).firstElementChild;
  const find = selector => article.querySelector(selector);
  const view = {
    model, result, classes: models.get(model), alone: -1, at: null, article, stack: find('.stack'), body: find('tbody'),
    canvas: find('.colours'), under: find('.under'), mark: find('.mark'),
  };
  find('h2').textContent = model;
  for (const canvas of [find('.photo'), view.canvas]) {
    canvas.width = result.width;
    canvas.height = result.height;
  }
  if (photo) find('.photo').getContext('2d').drawImage(photo, 0, 0, result.width, result.height);
  drawColours(view);
  fillTable(view);
  listenToPointer(view);
  for (const button of article.querySelectorAll('[data-format]'))
    button.addEventListener('click', () => download(model, button.dataset.format));
  return article;
}

async function show(blob) {
  const mine = ++run, first = element('model').value, second = element('other').value;
  if (!blob || !first) return;
  file = blob;
  complain(null);
  say('The server labels the image …');
  try {
    // Browsers do not draw all formats that the server reads, such as TIFF: then only the colours are shown.
    const photo = await createImageBitmap(blob).catch(() => null);
    const names = second && second !== first ? [first, second] : [first];
    const start = performance.now(), results = [];
    for (const name of names) results.push(await label(name, blob));
    if (mine !== run) return;
    element('views').replaceChildren(...names.map((name, i) => makeView(name, results[i], photo)));
    element('result').hidden = false;
    showOpacity();
    say(`${results[0].width} × ${results[0].height} pixels, ${((performance.now() - start) / 1000).toFixed(1)} s`);
  } catch (error) {
    if (mine === run) complain(error);
  }
}

// -- the camera

let stream = null;

function stopCamera() {
  if (stream) for (const track of stream.getTracks()) track.stop();
  stream = null;
  element('live').hidden = true;
  element('drop').hidden = false;
}

async function startCamera() {
  try {
    if (!navigator.mediaDevices) throw new Error('Browsers allow the camera on https and on this computer only.');
    stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
  } catch (error) {
    complain(new Error(`The camera cannot be used: ${error.message}`));
    return;
  }
  complain(null);
  element('video').srcObject = stream;
  await element('video').play();
  element('drop').hidden = true;
  element('live').hidden = false;
  element('shoot').focus();
}

function shoot() {
  const video = element('video'), canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  stopCamera();
  canvas.toBlob(blob => show(new File([blob], 'camera.jpg', {type: 'image/jpeg'})), 'image/jpeg', 0.95);
}

// -- the beginning

async function loadModels() {
  const list = await (await ask('v2/repository/index', {method: 'POST'})).json();
  const chosen = element('model').value;
  models.clear();
  element('model').replaceChildren();
  element('other').replaceChildren(new Option('nothing', ''));
  for (const {name} of list) {
    const model = await (await ask(`v2/models/${encodeURIComponent(name)}`)).json();
    models.set(name, model.parameters.classes);
    element('model').add(new Option(name, name, false, name === chosen));
    element('other').add(new Option(name, name));
  }
  element('second').hidden = list.length < 2;
}

function connect() { return loadModels().then(() => complain(null), complain); }

element('choose').addEventListener('click', () => element('file').click());
element('file').addEventListener('change', event => show(event.target.files[0]));
element('camera').addEventListener('click', startCamera);
element('shoot').addEventListener('click', shoot);
element('cancel').addEventListener('click', stopCamera);
element('opacity').addEventListener('input', showOpacity);
element('model').addEventListener('change', () => show(file));
element('other').addEventListener('change', () => show(file));
element('token').addEventListener('change', () => connect().then(() => show(file)));
document.addEventListener('paste', event => show([...event.clipboardData.files][0]));
for (const name of ['dragover', 'dragleave', 'drop'])
  document.addEventListener(name, event => {
    event.preventDefault();
    element('drop').classList.toggle('over', name === 'dragover');
    if (name === 'drop') show(event.dataTransfer.files[0]);
  });
connect();
