"""Remake the libraries and fonts that the studio brings along, from npm.

python tools/make_vendor.py

For maintainers: needs node and npm, and the network once. Everything is installed at the exact versions
below in a temporary folder, bundled and minified there by esbuild, and written to
src/fallline/page/static/{vendor,fonts}, with VENDOR.toml saying what each file is. A user of Fallline
needs none of this.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

STATIC = Path(__file__).parents[1] / "src" / "fallline" / "page" / "static"

PACKAGES = {
    "three": "0.187.0",
    "uplot": "1.6.32",
    "@dagrejs/dagre": "3.1.3",
    "inter-ui": "4.1.1",
    "@fontsource-variable/jetbrains-mono": "5.3.0",
}
TOOLS = {"esbuild": "0.28.2", "subset-font": "2.9.0"}

THREE = [
    "BufferAttribute",
    "BufferGeometry",
    "ClampToEdgeWrapping",
    "DataArrayTexture",
    "DataTexture",
    "DoubleSide",
    "FloatType",
    "GLSL3",
    "Group",
    "LinearFilter",
    "LinearSRGBColorSpace",
    "Matrix4",
    "Mesh",
    "NearestFilter",
    "OrthographicCamera",
    "PerspectiveCamera",
    "Points",
    "RawShaderMaterial",
    "RedFormat",
    "RGBAFormat",
    "RGFormat",
    "Scene",
    "UnsignedByteType",
    "Vector2",
    "Vector3",
    "WebGLRenderer",
]
"""What the scene uses of three.js; the rest is left out as far as it can be."""

INTER_TEXT = [
    (0x20, 0x7E),
    (0xA0, 0x17F),  # Latin 1 and Latin extended A
    (0x391, 0x3C9),  # Greek
    (0x2010, 0x2027),  # dashes, quotes, bullets
    (0x202F, 0x203A),
    (0x2070, 0x209C),  # raised and lowered digits
    (0x20AC, 0x20AC),
    (0x2122, 0x2122),
    (0x2190, 0x2199),  # arrows
    (0x21A9, 0x21AA),
    (0x21B5, 0x21B5),
    (0x21E7, 0x21E7),  # shift
    (0x2200, 0x22C5),  # mathematics, as far as the font has it
    (0x2303, 0x2303),
    (0x2318, 0x2318),  # command
    (0x25A0, 0x25CF),
    (0x2713, 0x2717),
]

BUNDLES = {
    "three.js": f"export {{ {', '.join(THREE)} }} from 'three';\n",
    "uplot.js": "export { default } from 'uplot';\n",
    "dagre.js": "export { Graph, layout, version } from '@dagrejs/dagre';\n",
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file that came from elsewhere, as VENDOR.toml lists it.

    Attributes:
        path: from the folder static on.
        package: the npm package.
        licence: its SPDX identifier.
        licence_file: from the folder static on.
        source: where its source is kept.
        kept: what was kept of the package, or done to it.
    """

    path: str
    package: str
    licence: str
    licence_file: str
    source: str
    kept: str

    def text(self) -> str:
        """The entry in TOML."""
        fields = {
            "path": self.path,
            "package": self.package,
            "version": PACKAGES[self.package],
            "sha256": hashlib.sha256((STATIC / self.path).read_bytes()).hexdigest(),
            "licence": self.licence,
            "licence_file": self.licence_file,
            "source": self.source,
            "kept": self.kept,
        }
        # A basic string of TOML is written as JSON writes one.
        lines = (f"{key} = {json.dumps(value)}" for key, value in fields.items())
        return "\n".join(["[[file]]", *lines]) + "\n"


def entries() -> list[Entry]:
    """Every vendored file, in the order of VENDOR.toml."""
    mit, ofl = "MIT", "OFL-1.1"
    three = ("vendor/LICENSE-three.txt", "https://github.com/mrdoob/three.js")
    uplot = ("vendor/LICENSE-uplot.txt", "https://github.com/leeoniya/uPlot")
    dagre = ("vendor/LICENSE-dagre.txt", "https://github.com/dagrejs/dagre")
    inter = ("fonts/LICENSE-Inter.txt", "https://github.com/rsms/inter")
    mono = ("fonts/LICENSE-JetBrainsMono.txt", "https://github.com/JetBrains/JetBrainsMono")
    return [
        Entry("vendor/three.js", "three", mit, *three, ", ".join(THREE)),
        Entry("vendor/uplot.js", "uplot", mit, *uplot, "all, minified"),
        Entry("vendor/uPlot.min.css", "uplot", mit, *uplot, "as it came"),
        Entry("types/uplot.d.ts", "uplot", mit, *uplot, "its types, as they came"),
        Entry("vendor/dagre.js", "@dagrejs/dagre", mit, *dagre, "Graph and layout, minified"),
        Entry(
            "fonts/Inter.woff2",
            "inter-ui",
            ofl,
            *inter,
            "the upright variable font, weights 400 to 700 at optical size 14; Latin, Greek, arrows and "
            "mathematics",
        ),
        Entry(
            "fonts/JetBrainsMono.woff2",
            "@fontsource-variable/jetbrains-mono",
            ofl,
            *mono,
            "the upright variable font, Latin, as it came",
        ),
    ]


def run(*command: str, folder: Path) -> None:
    """A command in a folder; a failure ends the script."""
    subprocess.run(command, cwd=folder, check=True)


def bundle(folder: Path) -> None:
    """Each library as one minified module, its licence comment kept on top."""
    for name, entry in BUNDLES.items():
        (folder / name).write_text(entry)
        run(
            "node_modules/.bin/esbuild",
            name,
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=es2022",
            "--legal-comments=inline",
            f"--outfile={STATIC / 'vendor' / name}",
            folder=folder,
        )


def subset(folder: Path) -> None:
    """Inter with the characters and weights that the studio shows."""
    code = f"""
import subsetFont from 'subset-font';
import {{ readFileSync, writeFileSync }} from 'node:fs';
const ranges = {json.dumps(INTER_TEXT)};
let text = '';
for (const [first, last] of ranges) {{
  for (let code = first; code <= last; code++) text += String.fromCodePoint(code);
}}
const font = await subsetFont(readFileSync('node_modules/inter-ui/variable/InterVariable.woff2'), text, {{
  targetFormat: 'woff2',
  variationAxes: {{ opsz: 14, wght: {{ min: 400, max: 700 }} }},
  keepFeatures: ['kern', 'mark', 'mkmk', 'ccmp', 'locl', 'calt', 'liga', 'tnum', 'zero', 'case', 'ss03'],
  dropTables: ['STAT'],
}});
writeFileSync({json.dumps(str(STATIC / "fonts" / "Inter.woff2"))}, font);
"""
    (folder / "subset.mjs").write_text(code)
    run("node", "subset.mjs", folder=folder)


def copies(modules: Path) -> None:
    """What is taken as it came: style sheet, types, a font, licences."""
    mono = modules / "@fontsource-variable" / "jetbrains-mono"
    for source, target in {
        modules / "uplot/dist/uPlot.min.css": "vendor/uPlot.min.css",
        modules / "uplot/dist/uPlot.d.ts": "types/uplot.d.ts",
        modules / "three/LICENSE": "vendor/LICENSE-three.txt",
        modules / "uplot/LICENSE": "vendor/LICENSE-uplot.txt",
        modules / "@dagrejs/dagre/LICENSE": "vendor/LICENSE-dagre.txt",
        modules / "inter-ui/LICENSE.txt": "fonts/LICENSE-Inter.txt",
        mono / "LICENSE": "fonts/LICENSE-JetBrainsMono.txt",
        mono / "files/jetbrains-mono-latin-wght-normal.woff2": "fonts/JetBrainsMono.woff2",
    }.items():
        shutil.copyfile(source, STATIC / target)


def main() -> None:
    """Remake every file."""
    for name in ("vendor", "fonts", "types"):
        (STATIC / name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "package.json").write_text('{"private": true}\n')
        wanted = [f"{name}@{version}" for name, version in (PACKAGES | TOOLS).items()]
        run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *wanted, folder=folder)
        bundle(folder)
        subset(folder)
        copies(folder / "node_modules")
    head = "# What the studio brings along from elsewhere. Made by tools/make_vendor.py: do not edit.\n"
    text = "\n".join([head, *(entry.text() for entry in entries())])
    (STATIC / "vendor" / "VENDOR.toml").write_text(text)


if __name__ == "__main__":
    main()
