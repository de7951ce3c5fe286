#include "numerics/lookup_table.h"

namespace assay::numerics {

SigmoidTable MakeSigmoidTable() {
  const auto sigmoid = [](double i) { return 65536 / (1 + std::exp(-i / 24)); };
  SigmoidTable table = {};
  for (size_t i = 0; i + 1 < table.size(); ++i) {
    const auto x = static_cast<double>(i);
    const double error = sigmoid(x + 0.5) - (sigmoid(x) + sigmoid(x + 1)) / 2;
    table[i] = static_cast<uint16_t>(std::lround(sigmoid(x) + error / 2));
  }
  table.back() = 65535;
  return table;
}

}  // namespace assay::numerics
