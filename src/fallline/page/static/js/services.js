// @ts-check
/** What the shell offers its views, and what it wants of them. */

/**
 * @typedef {{value: any, low?: number, high?: number, log?: boolean, static?: boolean}} Setting
 * @typedef {{name: string, title: string, settings: Record<string, Setting>}} OptimizerFacts
 * @typedef {{name: string, title: string, about: string, bounds: number[][]}} TerrainFacts
 * @typedef {{version: string, terrains: TerrainFacts[], optimizers: OptimizerFacts[],
 *   tables: {name: string, title: string}[], table: string | null}} Catalogue
 */

/**
 * @typedef {Object} Services
 * @property {(type: string, fields?: Record<string, any>) => void} send to this view's other half
 * @property {(type: string, fields?: Record<string, any>) => Promise<any>} request the same, with an answer
 * @property {(key: string, values?: Record<string, string | number>) => string} t
 * @property {() => string} language
 * @property {() => 'dark' | 'light'} theme
 * @property {() => boolean} reduced is little motion wanted?
 * @property {'high' | 'low'} quality
 * @property {number} pixelRatio
 * @property {(text: string) => void} announce to those who listen to the page
 * @property {() => void} touched the state has changed: into the address with it
 * @property {(view: string, state: Record<string, any>) => void} open another view
 * @property {(sentence: string) => void} fail something went wrong
 * @property {Catalogue | null} catalogue null until the server has said hello
 */

/**
 * @typedef {Object} View
 * @property {() => void} connected
 * @property {(message: any) => void} onText
 * @property {(frame: import('fallline/wire').Frame) => void} [onFrame]
 * @property {() => void} show
 * @property {() => void} hide
 * @property {() => Record<string, any>} state
 * @property {(state: Record<string, any>) => void} restore
 * @property {(event: KeyboardEvent) => boolean} key
 * @property {() => void} retheme
 * @property {() => void} retranslate
 * @property {() => {png?: () => Promise<Blob>, csv?: () => Promise<string>, python?: () => Promise<string>,
 *   svg?: () => Promise<string>, dot?: () => Promise<string>}} exports
 * @property {() => {step?: number, running?: boolean}} status
 * @property {any} [test]
 */

export {};
