// @ts-check
/** Panels in their boxes: made once, filled when there is something to fill them with, else out of sight. */
import { panel } from 'fallline/panels/frame';

/** @typedef {import('fallline/services').Services} Services */
/**
 * @typedef {{set: (data: any) => void, retheme: () => void, retranslate: () => void, dispose: () => void,
 *   test?: any}} Filled
 */

export class Box {
  /**
   * @param {Services} services
   * @param {string} title key
   * @param {string} className
   * @param {(element: HTMLElement) => Filled} make
   */
  constructor(services, title, className, make) {
    const { element, body, note, tools } = panel(services, title, className);
    this.element = element;
    this.body = body;
    this.note = note;
    this.tools = tools;
    this.make = make;
    /** @type {Filled | null} */
    this.panel = null;
    element.hidden = true;
  }

  /** Fill it, or put it out of sight. @param {any} data */
  set(data) {
    const there = data !== null && data !== undefined;
    this.element.hidden = !there;
    if (!there) {
      this.panel?.set(null);
      return;
    }
    this.panel ??= this.make(this.body);
    this.panel.set(data);
  }

  retheme() {
    this.panel?.retheme();
  }

  retranslate() {
    this.panel?.retranslate();
  }

  dispose() {
    this.panel?.dispose();
    this.panel = null;
  }
}
