"""Makes a provider's schema, as JSON, of the bindings that cdktf generates from it: `extract.py WHEEL PROVIDER`.

HashiCorp's registry of providers is no registry of packages, and building the providers takes an hour. Their bindings for
cdktf are packages, and were generated from the very schemas: every argument of every resource is in them, with its type,
whether it has to be there, and what a resource tells beside its arguments. What is not in them is what a provider checks
by code: values, and what excludes what.

A block is {"attributes": {NAME: {"type", "required", "optional", "computed"}}, "blocks": {NAME: {"nesting", "single", "block"}}}.
"""

import io
import json
import re
import sys
import tarfile
import zipfile

ENTRY = re.compile(
    r'(\w+): \{\s+value: (.+),\s+isBlock: (true|false),\s+type: "(\w+)",\s+storageClassType: "(\w+)",\s+\}'
)
FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", re.M | re.S)
CLASS = re.compile(r"^class (\w+) extends cdktf\.(\w+) \{(.*?)^\}", re.M | re.S)
INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^    readonly (\w+)(\??): ", re.M)
TOLD = re.compile(r"// (\w+) - computed: true, optional: false, required: false\s+(.*?);", re.S)
GETTER = re.compile(r"this\.(get(\w+)Attribute|interpolationForAttribute)\('")
PRIMITIVE = {"string": "string", "number": "number", "boolean": "bool"}
GOT = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
}


class File:
    """One resource, data source or provider, with the structures below it."""

    def __init__(self, script, declarations):
        self.functions = dict(FUNCTION.findall(script))
        self.classes = {name: (base, body) for name, base, body in CLASS.findall(script)}
        self.interfaces = {name: dict(FIELD.findall(body)) for name, body in INTERFACE.findall(declarations)}

    def root(self):
        for name, (base, body) in self.classes.items():
            if base in ("TerraformResource", "TerraformDataSource", "TerraformProvider"):
                kind = re.search(r"terraformResourceType: '(\w+)'", body)
                version = re.search(r"providerVersion: '([\w.-]+)'", body)
                arguments = body.partition("synthesizeHclAttributes()")[2]
                block = self.block(arguments, f"{name}Config", name)
                if base != "TerraformProvider":
                    # Each has one, and few want it given.
                    identity = block["attributes"].setdefault("id", {"type": "string"})
                    identity["computed"] = not identity.get("required", False)
                return base, kind and kind.group(1), version and version.group(1), block
        return None

    def block(self, arguments, interface, owner):
        fields = self.interfaces.get(interface, {})
        attributes, blocks = {}, {}
        for name, value, is_block, kind, storage in ENTRY.findall(arguments):
            field = re.search(r"(?:struct!?|this)\.(?:_)?(\w+?)(?:\.internalValue)?\)", value).group(1)
            if field not in fields and f"{field}Attribute" in fields:
                # A name that the class has for something else.
                field = f"{field}Attribute"
            if field not in fields:
                raise ValueError(f"{interface}.{field} is declared nowhere")
            required = fields[field] == ""
            below = re.search(r"(?<![\w.])(\w+)ToHclTerraform", value)
            if below:
                structure = below.group(1)
                structure = structure[0].upper() + structure[1:]
                inner = self.block(self.functions[below.group(1)], structure, f"{structure}OutputReference")
                nesting = {"struct": "single"}.get(kind, kind)
                single = "listMapper" not in value and "hashMapper" not in value
                entry = {"nesting": nesting, "single": single, "required": required, "block": inner}
                if is_block == "true":
                    blocks[name] = entry
                else:
                    attributes[name] = {"nested": entry, "required": required, "optional": not required}
                continue
            attributes[name] = {"type": self.argument(kind, storage), "required": required, "optional": not required}
        for name, told in self.told(owner).items():
            attributes.setdefault(name, {"type": told, "computed": True})
        return {"attributes": attributes, "blocks": blocks}

    @staticmethod
    def argument(kind, storage):
        if storage in PRIMITIVE:
            return PRIMITIVE[storage]
        element, depth = re.match(r"(string|number|boolean|any)((?:List|Map)+)$", storage).groups()
        kinds = re.findall("List|Map", depth)
        result = PRIMITIVE.get(element, "dynamic")
        for inner in kinds[1:]:
            result = [inner.lower(), result]
        return [kind if kind in ("list", "set", "map") else kinds[0].lower(), result]

    def told(self, owner):
        """What a class tells and takes from nobody."""
        found = {}
        if owner not in self.classes:
            return found
        for name, code in TOLD.findall(self.classes[owner][1]):
            made = re.search(r"new (?:cdktf\.)?(\w+)\(this", code)
            got = GETTER.search(code)
            if made and made.group(1) == "StringMap":
                found[name] = ["map", "string"]
            elif made and made.group(1) == "StringMapList":
                found[name] = ["list", ["map", "string"]]
            elif made:
                structure = re.sub(r"(List|Map|OutputReference)$", "", made.group(1))
                below = self.told(f"{structure}OutputReference")
                around = "map" if made.group(1).endswith("Map") else "list"
                found[name] = [around, ["object", below]]
            elif got:
                found[name] = GOT.get(got.group(2), "dynamic")
        return found


def main(wheel, provider):
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        archive = tarfile.open(fileobj=io.BytesIO(outer.read(inner)), mode="r:gz")
    texts = {}
    for member in archive:
        match = re.fullmatch(r"package/lib/([\w-]+)/.*?(\.js|\.d\.ts)", member.name)
        if match:
            # The largest are in several files, which name what they have of each other.
            text = re.sub(r"\(0, (\w+_1\.\w+)\)", r"\1", archive.extractfile(member).read().decode())
            parts = texts.setdefault(match.group(1), {".js": "", ".d.ts": ""})
            parts[match.group(2)] += re.sub(r"\b\w*structs\w*_1\.", "", text)
    schema = {"name": provider, "version": None, "provider": None, "resources": {}, "data": {}}
    for folder, text in sorted(texts.items()):
        root = File(text[".js"], text[".d.ts"]).root()
        if root is None:
            continue
        base, kind, version, block = root
        schema["version"] = schema["version"] or version
        if base == "TerraformProvider":
            schema["provider"] = block
        else:
            schema["resources" if base == "TerraformResource" else "data"][kind] = block
    if not schema["provider"] or len(schema["resources"]) < 500:
        raise ValueError(f"{wheel} has the bindings in a form that is not known here")
    json.dump(schema, sys.stdout, separators=(",", ":"))


main(*sys.argv[1:])
