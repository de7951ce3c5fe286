// The accuracy of a quantized model's float form: what parts it from the model's own is what quantization costs, what
// parts it from a reference that was trained apart is training.
#pragma once

#include "compare/compare.h"

namespace assay::compare {

// On the samples that both models answered, fed with the real values of the model's own quantized inputs.
FloatFormAccuracy EvaluateFloatForm(const CompareRequest& request,
                                    const std::shared_ptr<const graph::Model>& float_model,
                                    const AccuracyComparison& accuracy);

}  // namespace assay::compare
