#!/usr/bin/env python3
"""Opens the HTML report of `assay compare` and the picture of `assay inspect` in headless Chromium: they must build, nothing be fetched.

    browser_test.py --assay BUILD/assay

Exit code 77 (skipped) where there is no Chromium or no outside test data.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def skip(reason):
    print('skipped:', reason)
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--assay', required=True)
    assay = parser.parse_args().assay
    browser = next((found for name in ('chromium', 'chromium-browser', 'google-chrome') if (found := shutil.which(name))), None)
    if browser is None:
        skip('there is no Chromium')
    data = os.environ.get('ASSAY_TEST_DATA', '')
    if not os.path.isdir(data):
        skip('ASSAY_TEST_DATA is not set to a folder')
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder, 'report.html')
        text = subprocess.run([assay, 'compare', f'{data}/tiny/ad01_fp32.tflite', f'{data}/tiny/ad01_int8.tflite', '--html', page],
                              capture_output=True, text=True, check=True, timeout=300).stdout
        verdict = text.splitlines()[0].rstrip('.')
        dom = subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', f'--user-data-dir={folder}/profile',
                              '--host-resolver-rules=MAP * ~NOTFOUND', '--dump-dom', page.as_uri()],
                             capture_output=True, text=True, timeout=180)
        html = dom.stdout
        plain = re.sub(r'<[^>]+>', '', html).replace('&amp;', '&').replace('&lt;', '<').replace('&gt;', '>')
        failures = []
        if verdict not in plain:
            failures.append(f'the page does not say: {verdict}')
        charts = re.findall(r'<svg [^>]*aria-label="([^"]*)"', html)
        if not any(label.startswith('Signal to quantization noise') for label in charts):
            failures.append(f'the picture of the error over depth is missing, there are {charts}')
        if html.count('<circle') < 20:
            failures.append(f'{html.count("<circle")} points drawn')
        if html.count('<details id="op-') != 10:
            failures.append(f'{html.count("<details id=")} layers listed, expected 10')
        shot = pathlib.Path(folder, 'shot.png')
        subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', f'--user-data-dir={folder}/profile',
                        f'--screenshot={shot}', '--window-size=1200,1600', page.as_uri()], capture_output=True, timeout=180)
        if not shot.exists() or shot.stat().st_size < 40_000:
            failures.append('the screenshot is empty')
        graph = pathlib.Path(folder, 'graph.svg')
        subprocess.run([assay, 'inspect', f'{data}/tiny/ad01_int8.tflite', '--graph', graph], stdout=subprocess.DEVNULL, check=True, timeout=60)
        drawn = subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', f'--user-data-dir={folder}/profile',
                                '--host-resolver-rules=MAP * ~NOTFOUND', '--dump-dom', graph.as_uri()],
                               capture_output=True, text=True, timeout=180).stdout
        if 'parsererror' in drawn or drawn.count('<g class="g f') != 10:
            failures.append(f'the graph has {drawn.count(chr(60) + "g class=")} boxes, expected 10 ops')
    print('\n'.join(failures) if failures else f'{len(charts)} pictures, 10 layers, the verdict, a graph of 10 ops: ok')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
