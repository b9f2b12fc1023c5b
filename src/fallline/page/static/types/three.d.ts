// The part of three.js that vendor/three.js exports and the scene uses.
export type TypedArray = Float32Array | Uint8Array | Int8Array | Uint16Array | Uint32Array | Int32Array;
export const ClampToEdgeWrapping: number;
export const DoubleSide: number;
export const FloatType: number;
export const GLSL3: string;
export const LinearFilter: number;
export const LinearSRGBColorSpace: string;
export const NearestFilter: number;
export const RedFormat: number;
export const RGFormat: number;
export const RGBAFormat: number;
export const UnsignedByteType: number;

export class Vector2 {
  x: number;
  y: number;
  constructor(x?: number, y?: number);
  set(x: number, y: number): this;
}

export class Vector3 {
  x: number;
  y: number;
  z: number;
  constructor(x?: number, y?: number, z?: number);
  set(x: number, y: number, z: number): this;
  copy(other: Vector3): this;
  clone(): Vector3;
  add(other: Vector3): this;
  sub(other: Vector3): this;
  multiplyScalar(factor: number): this;
  normalize(): this;
  length(): number;
  distanceTo(other: Vector3): number;
  applyMatrix4(matrix: Matrix4): this;
  project(camera: Camera): this;
  unproject(camera: Camera): this;
}

export class Matrix4 {
  elements: number[];
  multiplyMatrices(a: Matrix4, b: Matrix4): this;
  copy(other: Matrix4): this;
}

export class BufferAttribute {
  array: TypedArray;
  count: number;
  needsUpdate: boolean;
  constructor(array: TypedArray, itemSize: number, normalized?: boolean);
}

export class BufferGeometry {
  attributes: Record<string, BufferAttribute>;
  setAttribute(name: string, attribute: BufferAttribute): this;
  setIndex(index: BufferAttribute | number[]): this;
  setDrawRange(start: number, count: number): void;
  dispose(): void;
}

export class Texture {
  needsUpdate: boolean;
  minFilter: number;
  magFilter: number;
  wrapS: number;
  wrapT: number;
  unpackAlignment: number;
  image: { data: TypedArray; width: number; height: number };
  dispose(): void;
}

export class DataTexture extends Texture {
  constructor(data: TypedArray | null, width: number, height: number, format?: number, type?: number);
}

export class DataArrayTexture extends Texture {
  format: number;
  type: number;
  constructor(data: TypedArray | null, width: number, height: number, depth: number);
  addLayerUpdate(layer: number): void;
}

export interface Uniform<Value = any> {
  value: Value;
}

export interface MaterialOptions {
  uniforms?: Record<string, Uniform>;
  vertexShader?: string;
  fragmentShader?: string;
  glslVersion?: string;
  transparent?: boolean;
  depthWrite?: boolean;
  depthTest?: boolean;
  side?: number;
}

export class RawShaderMaterial {
  uniforms: Record<string, Uniform>;
  constructor(options?: MaterialOptions);
  dispose(): void;
}

export class Object3D {
  children: Object3D[];
  position: Vector3;
  visible: boolean;
  renderOrder: number;
  frustumCulled: boolean;
  matrixWorld: Matrix4;
  add(...objects: Object3D[]): this;
  remove(...objects: Object3D[]): this;
  lookAt(x: number | Vector3, y?: number, z?: number): void;
  updateMatrixWorld(force?: boolean): void;
}

export class Group extends Object3D {}
export class Scene extends Object3D {}

export class Mesh extends Object3D {
  geometry: BufferGeometry;
  material: RawShaderMaterial;
  constructor(geometry: BufferGeometry, material: RawShaderMaterial);
}

export class Points extends Mesh {}

export class Camera extends Object3D {
  matrixWorldInverse: Matrix4;
  projectionMatrix: Matrix4;
  projectionMatrixInverse: Matrix4;
  up: Vector3;
}

export class PerspectiveCamera extends Camera {
  fov: number;
  aspect: number;
  constructor(fov?: number, aspect?: number, near?: number, far?: number);
  updateProjectionMatrix(): void;
}

export class OrthographicCamera extends Camera {
  left: number;
  right: number;
  top: number;
  bottom: number;
  zoom: number;
  constructor(left: number, right: number, top: number, bottom: number, near?: number, far?: number);
  updateProjectionMatrix(): void;
}

export class WebGLRenderer {
  domElement: HTMLCanvasElement;
  outputColorSpace: string;
  info: { memory: { geometries: number; textures: number }; render: { calls: number } };
  constructor(options: {
    canvas: HTMLCanvasElement;
    context?: WebGL2RenderingContext;
    antialias?: boolean;
    alpha?: boolean;
    powerPreference?: string;
    preserveDrawingBuffer?: boolean;
  });
  setPixelRatio(ratio: number): void;
  getPixelRatio(): number;
  setSize(width: number, height: number, updateStyle?: boolean): void;
  setClearColor(colour: number, alpha?: number): void;
  render(scene: Scene, camera: Camera): void;
  compile(scene: Scene, camera: Camera): void;
  dispose(): void;
  forceContextLoss(): void;
}
