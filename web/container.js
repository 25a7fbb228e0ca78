// The `.clc` file: a header with a checksum, then sections with checksums of their own. The layout, byte by byte,
// is in book/format.md; codec_lib/header.py and codec_lib/container.py are the same in Python.
//
// `inspect` tells what any bytes say and all that is wrong with them, `read` throws a FileError for the first
// problem. Nothing is allocated on a header's word: what it claims is compared with the bytes that are there.

export const MAGIC = [0x89, 0x43, 0x4c, 0x43]; // 89 "CLC"
const VERSION = 3;
export const MODES = ["L", "RGB", "LA", "RGBA", "L;16", "RGB;16", "LA;16", "RGBA;16"];
const MAX_PIXELS = 1 << 27,
  MAX_SIDE = 1 << 16,
  VALUE_SCALE = 256;
const MAX_NAME = 255;

/** What is wrong with a file, in one line: the field, its value, what is allowed. */
export class FileError extends Error {}

/** What a page says of an error, also of one that nobody has foreseen. */
export const lineOf = (error) =>
  error instanceof FileError ? error.message : `page: it has failed (${error.message}); choose the picture again`;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** The CRC-32 of zlib and PNG. */
export function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

export const hex = (bytes, between = "") =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(between);
const crcText = (crc) => crc.toString(16).padStart(8, "0");
const isName = (bytes) => bytes.length > 0 && bytes.every((b) => b >= 32 && b <= 126);
const textOf = (bytes) => String.fromCharCode(...bytes);

/** Takes fields off the front of a file, and remembers where each of them stood. */
class Reader {
  constructor(data) {
    this.data = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.length);
    this.at = 0;
    this.fields = [];
  }
  take(size) {
    if (this.at + size > this.data.length) throw new RangeError("the file ends");
    this.at += size;
    return this.at - size;
  }
  field(name, size, value) {
    const offset = this.take(size);
    const field = { name, offset, size, value: value(offset) };
    this.fields.push(field);
    return field.value;
  }
  u8(name) {
    return this.field(name, 1, (at) => this.data[at]);
  }
  u16(name) {
    return this.field(name, 2, (at) => this.view.getUint16(at, true));
  }
  u32(name) {
    return this.field(name, 4, (at) => this.view.getUint32(at, true));
  }
  bytes(name, size) {
    return this.field(name, size, (at) => this.data.subarray(at, at + size));
  }
  name(name) {
    const size = this.u8(`${name}: length`);
    return this.bytes(name, size);
  }
}

function parse(reader, found) {
  const header = found.header;
  header.magic = reader.bytes("magic", 4);
  header.version = reader.u8("version");
  if (header.version !== VERSION) return; // what follows has another layout
  header.mode = reader.u8("mode");
  header.width = reader.u32("width");
  header.height = reader.u32("height");
  header.value = reader.u16("value") / VALUE_SCALE;
  header.weights = hex(reader.bytes("weights", 8));
  header.probabilities = hex(reader.bytes("probabilities", 8));
  header.model = reader.name("model");
  header.setting = reader.name("setting");
  const count = reader.u8("sections");
  for (let k = 0; k < count; k++) {
    const name = reader.name(`section ${k}`);
    found.rows.push({
      name,
      length: reader.u32(`section ${k}: bytes`),
      crc: reader.u32(`section ${k}: CRC-32`),
    });
  }
  const crc = crc32(reader.data.subarray(0, reader.at));
  const stated = reader.u32("CRC-32");
  found.end = reader.at;
  if (crc !== stated) found.problems.push(`header: CRC-32 is ${crcText(crc)}, it says ${crcText(stated)}`);
}

function check(header, rows, problems) {
  const { mode, width, height } = header;
  if (mode >= MODES.length) problems.push(`mode: ${mode}; allowed are 0 to ${MODES.length - 1}`);
  if (height !== undefined) {
    const sides = width >= 1 && width <= MAX_SIDE && height >= 1 && height <= MAX_SIDE;
    if (!sides || width * height > MAX_PIXELS)
      problems.push(`size: ${width} x ${height}; allowed are sides to ${MAX_SIDE} and ${MAX_PIXELS} pixels`);
  }
  for (const name of ["model", "setting"])
    if (header[name] && !isName(header[name]))
      problems.push(`${name}: allowed are 1 to 255 printable ASCII characters`);
  const names = rows.map((row) => textOf(row.name));
  if (new Set(names).size < names.length || !rows.every((row) => isName(row.name)))
    problems.push("sections: allowed are printable names, each at most once");
}

/** All that can be read of a file: fields with their offsets, header or null, sections, problems (one line each). */
export function inspect(data) {
  const reader = new Reader(data),
    found = { header: {}, rows: [], problems: [], end: null };
  try {
    parse(reader, found);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    found.problems.push(`header: ends after ${data.length} bytes; truncated`);
  }
  const { header, rows, problems } = found,
    start = [];
  const magic = Array.from(data.subarray(0, 4));
  if (magic.some((byte, k) => byte !== MAGIC[k]) || !data.length)
    start.push(`magic: ${hex(magic, " ") || "none"}; a .clc file starts with ${hex(MAGIC, " ")}`);
  else if (header.version !== undefined && header.version !== VERSION)
    start.push(`version: ${header.version}; this page reads version ${VERSION}`);
  problems.unshift(...start);
  check(header, rows, problems);
  const sections = sectionsOf(data, rows, found.end, problems);
  if (!rows.every((row) => isName(row.name)) || found.end === null)
    return { fields: reader.fields, header: null, sections, problems };
  const inRange = header.mode < MODES.length && isName(header.model) && isName(header.setting);
  const texts = inRange && {
    mode: MODES[header.mode],
    model: textOf(header.model),
    setting: textOf(header.setting),
  };
  return { fields: reader.fields, header: texts ? { ...header, ...texts } : null, sections, problems };
}

function sectionsOf(data, rows, end, problems) {
  let at = end ?? data.length;
  const sections = rows.map(({ name, length, crc }) => {
    const bytes = data.subarray(at, at + length),
      offset = at,
      found = crc32(bytes);
    at = Math.min(at + length, data.length);
    let problem = null;
    if (bytes.length < length) problem = `${bytes.length} bytes left of ${length}; truncated`;
    else if (found !== crc) problem = `CRC-32 is ${crcText(found)}, the header says ${crcText(crc)}`;
    return { name: textOf(name), offset, length, bytes, problem };
  });
  if (end === null) return sections; // else nobody knows where the sections start
  for (const { name, problem } of sections) if (problem) problems.push(`section ${name}: ${problem}`);
  if (at !== data.length)
    problems.push(`file: ${data.length - at} bytes after the last section; none allowed`);
  return sections;
}

/** Header and sections (bytes by name) of an intact file; FileError for the first problem of any other. */
export function read(data) {
  const { header, sections, problems } = inspect(data);
  if (problems.length) throw new FileError(problems[0]);
  return { header, sections: Object.fromEntries(sections.map(({ name, bytes }) => [name, bytes])) };
}

/** The bytes of a file; sections (bytes by name) come in the order of the object. */
export function write(header, sections) {
  const ascii = (text) => Array.from(text, (character) => character.charCodeAt(0));
  const name = (text) => [text.length, ...ascii(text)];
  const number = (value, size) =>
    Array.from({ length: size }, (_, k) => Math.floor(value / 2 ** (8 * k)) & 255);
  const digest = (text) => text.match(/../g).map((pair) => parseInt(pair, 16));
  const names = Object.keys(sections);
  if (names.length > MAX_NAME) throw new FileError(`sections: ${names.length}; allowed are ${MAX_NAME}`);
  const head = [...MAGIC, VERSION, MODES.indexOf(header.mode)];
  head.push(...number(header.width, 4), ...number(header.height, 4));
  head.push(...number(Math.round(header.value * VALUE_SCALE), 2));
  head.push(...digest(header.weights), ...digest(header.probabilities));
  head.push(...name(header.model), ...name(header.setting), names.length);
  for (const key of names)
    head.push(...name(key), ...number(sections[key].length, 4), ...number(crc32(sections[key]), 4));
  head.push(...number(crc32(head), 4));
  const parts = [Uint8Array.from(head), ...Object.values(sections)];
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) (data.set(part, at), (at += part.length));
  return data;
}
