// @ts-check
/** The list of sections beside the text: the one that is being read is marked. */

/** @param {HTMLElement} root */
export function follow(root) {
  /** @type {Map<Element, Element>} */
  const links = new Map();
  for (const link of root.querySelectorAll('.contents a')) {
    const section = root.querySelector(`section${link.getAttribute('href')}`);
    if (section) {
      links.set(section, link);
    }
  }
  /** @type {Set<Element>} */
  const seen = new Set();
  const observer = new IntersectionObserver((entries) => {
    entries.forEach(({ target, isIntersecting }) => (isIntersecting ? seen.add(target) : seen.delete(target)));
    const first = [...links.keys()].find((section) => seen.has(section));
    links.forEach((link, section) => {
      if (section === first) {
        link.setAttribute('aria-current', 'true');
      } else if (first) {
        link.removeAttribute('aria-current');
      }
    });
  }, { rootMargin: '-15% 0px -55% 0px' });
  links.forEach((_, section) => observer.observe(section));
}
