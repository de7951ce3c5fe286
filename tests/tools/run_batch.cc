// Runs many models in one process, for the comparison with the oracle. Reads lines "MODEL IN.npz PROFILE all|outputs
// OUT.npz" from stdin (tab-separated); answers each with "ok" or "error MESSAGE" on stdout.
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "format/tflite/reader.h"
#include "runtime/run_model.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
    try {
      if (fields.size() != 5) throw assay::UsageError("expected 5 fields, got {}", fields.size());
      assay::runtime::RunRequest request;
      request.options.profile = &assay::numerics::FindProfile(fields[2]);
      request.inputs = assay::ReadNpz(fields[1]);
      request.ignore_other_arrays = true;
      request.all_tensors = fields[3] == "all";
      const auto result = assay::runtime::RunModel(assay::tflite::ReadModel(fields[0]), request);
      assay::WriteNpz(fields[4], result.arrays);
      std::cout << "ok" << std::endl;
    } catch (const assay::Error& error) {
      std::cout << "error " << error.what() << std::endl;
    }
  }
  return 0;
}
