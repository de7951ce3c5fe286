// Two proofs of a conversion: that simplifying lost nothing (the graph before, in double precision, against the written
// file), and that the source was read rightly (its own framework's predictions against the written file).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/model.h"
#include "numerics/profile.h"
#include "tensor/npy.h"

namespace assay::convert {

struct Deviation {
  std::string tensor;   // its name
  double max_abs = 0;   // largest difference
  double range = 0;     // of the reference's values
  double relative = 0;  // max_abs / range
};

struct Verification {
  int inputs = 0;   // random inputs that were tried
  int tensors = 0;  // that both graphs have, compared
  Deviation worst;  // by `relative`
  Deviation worst_output;
  std::vector<Deviation> worst_tensors;  // the largest few
};

// `written` runs under `profile`. Inputs are normal with mean 0 and variance 1; indices stay small. Throws InputError
// where an op has no form in double precision.
Verification VerifyPasses(const graph::Model& unsimplified, std::shared_ptr<const graph::Model> written, int inputs,
                          const numerics::Profile& profile, const std::atomic<bool>* cancelled);

struct Expectation {
  int64_t samples = 0;
  std::vector<Deviation> outputs;  // one per output of the signature
  double relative = 0;             // the largest
  int64_t same_answers = 0;        // samples whose largest value of the first output is at the same place
  bool has_answers = false;        // the first output has several values per sample
};

// The file's arrays: one per input, named as the input (or x, x0, x1, ...), and one per output (its name, or y, y0, y1,
// ...), samples along the first dimension.
Expectation CheckExpectation(std::shared_ptr<const graph::Model> written, const NamedArrays& arrays,
                             const numerics::Profile& profile, const std::atomic<bool>* cancelled);

}  // namespace assay::convert
