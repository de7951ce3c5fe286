#!/usr/bin/env python3
"""Compares our text of the .tflite schema with the code that LiteRT's own schema generated.

    check_schema.py [--draft] SCHEMA.fbs       (run it with the oracle's python)

Equal must be: every enum and union member with its number; every table's fields with slot, wire type, default and, for
vectors, the element's type. Names are compared without case and underscores. --draft prints the oracle's facts instead.
"""
import argparse
import pathlib
import re
import sys

FLAGS = {'Bool': 'bool', 'Int8': 'byte', 'Uint8': 'ubyte', 'Int16': 'short', 'Uint16': 'ushort', 'Int32': 'int',
         'Uint32': 'uint', 'Int64': 'long', 'Uint64': 'ulong', 'Float32': 'float', 'Float64': 'double'}


def fold(name):
    return name.replace('_', '').lower()


def oracle_facts(source):
    """enums: {name: {member: number}}; tables: {name: {slot: (field, type, default)}}."""
    enums, tables = {}, {}
    for part in re.split(r'^class ', source, flags=re.M)[1:]:
        name = part[:part.index('(')]
        body = part[part.index('\n') + 1:]
        if "__slots__ = ['_tab']" not in body:
            members = re.findall(r'^    (\w+) = (-?\d+)$', body, flags=re.M)
            if members:
                enums[name] = {m: int(v) for m, v in members}
            continue
        fields = {}
        for slot_type, slot, default, field in (
                (m[2], int(m[3]), m[4], m[1]) for m in re.finditer(
                    rf'^def {name}Add(\w+)\(.*\):\n    builder\.Prepend(\w+?)Slot\((\d+), .*, (.+)\)$', body, re.M)):
            getter = re.search(rf'    # {name}\n    def {field}\(self(, j)?\):\n(.*?)\n\n', body + '\n\n', re.S)
            text = getter[2]
            if slot_type != 'UOffsetTRelative':
                kind = FLAGS[slot_type]
            elif getter[1]:
                flag = re.search(r'Get\(flatbuffers\.number_types\.(\w+)Flags, a', text)
                table = re.search(r'obj = (\w+)\(\)', text)
                kind = '[' + (FLAGS[flag[1]] if flag else table[1] if table else 'string') + ']'
            elif 'self._tab.Union' in text:
                kind = 'union'
            elif 'self._tab.String' in text:
                kind = 'string'
            else:
                kind = re.search(r'obj = (\w+)\(\)', text)[1]
            default = float(default == 'True') if default in ('False', 'True') else float(default)
            fields[slot] = (field, kind, default)
        slots = int(re.search(rf'^def {name}Start\(builder\):\n    builder\.StartObject\((\d+)\)', body, re.M)[1])
        tables[name] = (slots, fields)
    return enums, tables


def our_facts(text):
    text = re.sub(r'//.*', '', text)
    scalars = {v: v for v in FLAGS.values()} | {'int8': 'byte', 'uint8': 'ubyte', 'int32': 'int', 'uint32': 'uint'}
    enums, bases, unions, tables = {}, {}, set(), {}
    for kind, name, base, body in re.findall(r'(enum|union)\s+(\w+)\s*(?::\s*(\w+))?\s*\{(.*?)\}', text, re.S):
        members, number = ({'NONE': 0}, 1) if kind == 'union' else ({}, 0)
        for entry in filter(None, (e.strip() for e in body.split(','))):
            member, _, value = (e.strip() for e in entry.partition('='))
            number = int(value) if value else number
            members[member] = number
            number += 1
        enums[name] = members
        unions.add(name) if kind == 'union' else bases.update({name: scalars[base]})
    for name, body in re.findall(r'table\s+(\w+)\s*\{(.*?)\}', text, re.S):
        fields, slot = {}, 0
        for entry in filter(None, (e.strip() for e in body.split(';'))):
            entry = re.sub(r'\s+', ' ', entry)
            match = re.fullmatch(r'(\w+) ?: ?(\[?)(\w+)\]?(?: ?= ?([\w.+-]+))?(?: ?\((.*)\))?', entry)
            assert match, entry
            field, vector, kind, default, notes = match.groups()
            if kind in unions:
                fields[slot] = (field + '_type', 'ubyte', 0.0)
                slot += 1
                fields[slot] = (field, 'union', 0.0)
            elif 'deprecated' not in (notes or ''):
                base = scalars.get(kind) or bases.get(kind)
                wire = f'[{base or kind}]' if vector else base or kind
                if default in (None, 'false', 'true'):
                    default = float(default == 'true')
                elif kind in enums:
                    default = float(enums[kind][default])
                fields[slot] = (field, wire, float(default))
            slot += 1
        tables[name] = (slot, fields)
    return enums, tables


def snake(name):
    return re.sub(r'(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])(?=[a-z]|[A-Z]|$)', lambda m: '_' + m[0], name).lower()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('schema')
    parser.add_argument('--draft', action='store_true')
    arguments = parser.parse_args()
    import ai_edge_litert
    source = pathlib.Path(ai_edge_litert.__file__).with_name('schema_py_generated.py').read_text()
    enums, tables = oracle_facts(source)
    if arguments.draft:
        for name, members in enums.items():
            print(f'enum {name} {{', ', '.join(f'{m} = {v}' for m, v in members.items()), '}')
        for name, (slots, fields) in tables.items():
            print(f'table {name} {{ // {slots}')
            for slot, (field, kind, default) in fields.items():
                print(f'  {snake(field)}:{kind}{f" = {default:g}" if default else ""};  // {slot}')
            print('}')
        return
    our_enums, our_tables = our_facts(pathlib.Path(arguments.schema).read_text())
    wrong = []

    def compare(kind, name, theirs, ours):
        if theirs != ours:
            wrong.append(f'{kind} {name}: the oracle has {theirs}, we have {ours}')

    compare('the list of', 'enums', sorted(enums), sorted(our_enums))
    compare('the list of', 'tables', sorted(tables), sorted(our_tables))
    members = fields = 0
    for name in enums.keys() & our_enums.keys():
        for member in enums[name].keys() | our_enums[name].keys():
            compare(f'enum {name}', member, enums[name].get(member), our_enums[name].get(member))
            members += 1
    for name in tables.keys() & our_tables.keys():
        compare('slots of', name, tables[name][0], our_tables[name][0])
        for slot in tables[name][1].keys() | our_tables[name][1].keys():
            theirs, ours = tables[name][1].get(slot), our_tables[name][1].get(slot)
            compare(f'table {name}', f'slot {slot}', theirs and (fold(theirs[0]), *theirs[1:]),
                    ours and (fold(ours[0]), *ours[1:]))
            fields += 1
    print('\n'.join(wrong + [f'{len(enums)} enums with {members} members, {len(tables)} tables with {fields} fields: '
                             f'{len(wrong)} differences']))
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
