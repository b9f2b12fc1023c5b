/**
 * Modules that came along in a text, for pages without a server. To be put before what calls it.
 *
 * @param {string} packed base64 of gzip of {modules: [bare name, source][], texts: by language}, modules
 * after all that they import; `fallline.page.bundle.packed` makes it
 * @returns {Promise<(name: string) => Promise<any>>} what imports a module by its bare name
 */
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.trim()), (letter) => letter.charCodeAt(0));
  const opened = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const { modules, texts } = await new Response(opened).json();
  // The same expression stands in bundle.py: an import or export statement begins a line.
  const statement = /^([ \t]*(?:(?:import|export)\b[^'"`;]*?\bfrom[ \t]*|import[ \t]*))(['"])([^'"\n]+)\2/gm;
  /** @type {Map<string, string>} */
  const addresses = new Map();
  for (const [name, source] of modules) {
    const whole = source.replace(statement, (found, before, quote, bare) =>
      addresses.has(bare) ? `${before}${quote}${addresses.get(bare)}${quote}` : found);
    addresses.set(name, URL.createObjectURL(new Blob([whole], { type: 'text/javascript' })));
  }
  const load = (name) => {
    const address = addresses.get(name);
    return address ? import(address) : Promise.reject(new Error(`There is no module ${name} here.`));
  };
  (await load('fallline/language')).provide(texts);
  return load;
}
