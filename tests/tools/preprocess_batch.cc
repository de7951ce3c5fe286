// Runs preprocessing jobs for scripts/oracle/check_images.py: each line of stdin is SPEC, a tab, an image file or an
// .npy, a tab, an .npy to write. For each, stdout has "ok" or "error CODE MESSAGE".
#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "base/error.h"
#include "image/preprocess.h"
#include "tensor/npy.h"

namespace {

void RunJob(const std::string& spec, const std::string& input, const std::string& output) {
  const assay::Pipeline pipeline = assay::ParsePreprocess(spec);
  const bool is_array = input.ends_with(".npy");
  assay::WriteNpy(output, is_array ? assay::ApplyPreprocess(pipeline, assay::ReadNpy(input))
                                   : assay::PreprocessImageFile(pipeline, input));
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (first == std::string::npos || second == std::string::npos) return 2;
    try {
      RunJob(line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1));
      fmt::print("ok\n");
    } catch (const assay::Error& error) {
      fmt::print("error {} {}\n", static_cast<int>(error.code()), error.what());
    }
    std::fflush(stdout);
  }
  return 0;
}
