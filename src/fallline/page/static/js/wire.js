// @ts-check
/** The connection: messages as JSON, frames as bytes (see studio/wire.py). */

/**
 * @typedef {{kind: number, run: number, sequence: number, step: number, n: number, time: number,
 *   scalars: Float32Array, data: Float32Array}} Frame
 */

export const KINDS = {
  terrainBalls: 1,
  terrainHeights: 2,
  terrainTrails: 3,
  terrainBasins: 4,
  fitState: 10,
  fitSurface: 11,
};

const HEADER = 32;
const MAGIC = 0x314e4c46;

/** @param {ArrayBuffer} buffer @returns {Frame} */
export function decode(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER || view.getUint32(0, true) !== MAGIC) {
    throw new Error('not a frame');
  }
  const scalars = view.getUint32(20, true);
  return {
    kind: view.getUint16(4, true),
    run: view.getUint16(6, true),
    sequence: view.getUint32(8, true),
    step: view.getUint32(12, true),
    n: view.getUint32(16, true),
    time: view.getFloat64(24, true),
    scalars: new Float32Array(buffer, HEADER, scalars),
    data: new Float32Array(buffer, HEADER + 4 * scalars),
  };
}

/**
 * @typedef {{onOpen: () => void, onText: (message: any) => void, onFrame: (frame: Frame) => void,
 *   onClose: (code: number, reason: string) => void}} Handlers
 */

/** A transport: whatever hands frames over has these. */
export class Socket {
  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    this.bytes = 0;
    this.socket = new WebSocket(`ws://${location.host}/socket`);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onopen = () => handlers.onOpen();
    this.socket.onclose = (event) => handlers.onClose(event.code, event.reason);
    this.socket.onmessage = (event) => {
      if (typeof event.data === 'string') {
        handlers.onText(JSON.parse(event.data));
        return;
      }
      this.bytes += event.data.byteLength;
      handlers.onFrame(decode(event.data));
    };
  }

  /** @param {object} message */
  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify(message));
    }
  }

  close() {
    this.socket.close();
  }
}
