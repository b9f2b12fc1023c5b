// @ts-check
/** What draws: a context of WebGL 2 and three.js on it. */
import { LinearSRGBColorSpace, WebGLRenderer } from 'three';

/** The browser, or its graphics driver, cannot draw the scene; the message says so in words for the user. */
export class NoWebGL extends Error {}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{quality: 'high' | 'low', pixelRatio: number}} options
 * @returns {WebGLRenderer}
 * @throws {NoWebGL} where WebGL 2 is missing
 */
export function makeRenderer(canvas, { quality, pixelRatio }) {
  const antialias = quality === 'high';
  const context = canvas.getContext('webgl2', {
    antialias,
    alpha: true,
    powerPreference: 'high-performance',
  });
  if (!context) {
    throw new NoWebGL(
      'The terrain needs WebGL 2, which this browser or its graphics driver does not offer: ' +
        'turn on hardware acceleration, or open the studio in another browser.',
    );
  }
  const renderer = new WebGLRenderer({ canvas, context, antialias, alpha: true });
  renderer.setPixelRatio(pixelRatio);
  renderer.setClearColor(0x000000, 0);
  renderer.outputColorSpace = LinearSRGBColorSpace; // the shaders write what the screen shows
  return renderer;
}

/**
 * Give back what meshes hold on the graphics card.
 * @param {import('three').Mesh[]} parts
 */
export function release(parts) {
  for (const part of parts) {
    part.geometry.dispose();
    part.material.dispose();
  }
}
