// @ts-check
/** Where the walk is, and how it goes on by itself. */

/**
 * @typedef {Object} How
 * @property {boolean} byHand the user asked for just this place
 * @property {boolean} moving one step on or back: let it be seen
 */

export class Player {
  /**
   * @param {{onplace: (how: How) => void, onplaying: (on: boolean) => void, pace: () => number}} wishes
   * `pace`: steps a second
   */
  constructor(wishes) {
    this.wishes = wishes;
    this.position = 0;
    this.last = 0;
    this.playing = false;
    this.timer = 0;
  }

  /** @param {number} position @param {How} how */
  go(position, how) {
    this.position = Math.min(this.last, Math.max(0, Math.round(position)));
    this.wishes.onplace(how);
  }

  /** To a place that was asked for. @param {number} position */
  jump(position) {
    this.pause();
    this.go(position, { byHand: true, moving: true });
  }

  turn() {
    if (this.playing) {
      this.pause();
    } else {
      this.play();
    }
  }

  play() {
    if (this.last === 0) {
      return;
    }
    if (this.position >= this.last) {
      this.go(0, { byHand: false, moving: false });
    }
    this.playing = true;
    this.wishes.onplaying(true);
    const beat = () => {
      this.go(this.position + 1, { byHand: false, moving: true });
      if (this.position >= this.last) {
        this.pause();
      } else {
        this.timer = window.setTimeout(beat, 1000 / this.wishes.pace());
      }
    };
    this.timer = window.setTimeout(beat, 150);
  }

  pause() {
    clearTimeout(this.timer);
    this.playing = false;
    this.wishes.onplaying(false);
  }
}
