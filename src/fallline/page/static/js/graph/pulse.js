// @ts-check
/** Balls that run along the lines of a step. */
import { svg } from 'fallline/dom';

const DURATION = 520;
const MOST = 6;

export class Pulse {
  constructor() {
    this.balls = Array.from({ length: MOST }, () => svg('circle', { class: 'pulse', r: 5.5 }));
    this.element = svg('g', {}, ...this.balls);
    this.beat = 0;
    this.stop();
  }

  /** @param {SVGPathElement[]} lines @param {boolean} back against their direction */
  run(lines, back) {
    this.stop();
    const courses = lines
      .slice(0, MOST)
      .map((line, i) => ({ line, length: line.getTotalLength(), ball: this.balls[i] }));
    const start = performance.now();
    const frame = (/** @type {number} */ now) => {
      const share = Math.min(1, Math.max(0, (now - start) / DURATION));
      const eased = 1 - (1 - share) ** 2;
      for (const { line, length, ball } of courses) {
        const { x, y } = line.getPointAtLength(length * (back ? 1 - eased : eased));
        ball.setAttribute('cx', x.toFixed(1));
        ball.setAttribute('cy', y.toFixed(1));
        ball.setAttribute('opacity', (1 - share ** 4).toFixed(3));
        ball.setAttribute('class', back ? 'pulse back' : 'pulse');
      }
      if (share < 1) {
        this.beat = requestAnimationFrame(frame);
      } else {
        this.stop();
      }
    };
    this.beat = requestAnimationFrame(frame);
  }

  stop() {
    cancelAnimationFrame(this.beat);
    for (const ball of this.balls) {
      ball.setAttribute('class', 'pulse idle');
    }
  }
}
