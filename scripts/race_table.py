#!/usr/bin/env python3
"""The tables of docs/performance.md from what scripts/race.sh printed for one thread and two.

    scripts/race.sh --threads 1,2 --big FOLDER > race.txt; scripts/race_table.py race.txt...
"""
import collections
import re
import statistics
import sys

LINE = re.compile(r'(\S+)\.tflite +threads (\d+) +assay +([\d.]+) us +litert +([\d.]+) us +ratio +([\d.]+) +\[([\d.]+), ([\d.]+)\] +(\S+)( +WRONG)?$')


def short(us):
    return f'{us:.1f}' if us < 100 else f'{us:.0f}'


def main():
    models = collections.defaultdict(dict)  # (scheme, name): {threads: (ours, theirs, ratio, least, most)}
    for path in sys.argv[1:]:
        for line in open(path):
            m = LINE.match(line.strip())
            if m is None:
                continue
            if m[9]:
                raise SystemExit(f'{path}: {m[1]}: outputs differ')
            models[m[8], m[1]][int(m[2])] = tuple(map(float, m.group(3, 4, 5, 6, 7)))
    if not models:
        raise SystemExit('no line of a race in ' + (' '.join(sys.argv[1:]) or 'no file'))
    print('| model | scheme | assay, us | LiteRT, us | ratio | least and most | two threads: assay | LiteRT | ratio | least and most |')
    print('|---' * 10 + '|')
    for (scheme, name), by_threads in sorted(models.items()):
        cells = []
        for threads in (1, 2):
            ours, theirs, ratio, least, most = by_threads.get(threads, (None,) * 5)
            cells += [''] * 4 if ours is None else [short(ours), short(theirs), f'{ratio:.2f}', f'{least:.2f} to {most:.2f}']
        print('| ' + ' | '.join([name, scheme, *cells]) + ' |')
    print('\n| scheme | models | geometric mean | worst | two threads: mean | worst |')
    print('|---' * 6 + '|')
    for scheme in sorted({scheme for scheme, _ in models}):
        cells = []
        for threads in (1, 2):
            ratios = [t[threads][2] for (s, _), t in models.items() if s == scheme and threads in t]
            cells += [f'{statistics.geometric_mean(ratios):.2f}', f'{min(ratios):.2f}'] if ratios else ['', '']
        print('| ' + ' | '.join([scheme, str(sum(s == scheme for s, _ in models)), *cells]) + ' |')


if __name__ == '__main__':
    main()
