// From a sample to the bytes of a model's inputs: decoding, the preprocessing steps, and the input's own type.
#pragma once

#include <string>

#include "data/dataset.h"
#include "image/preprocess.h"
#include "runtime/interpreter.h"

namespace assay::eval {

// An array as the input wants it, in its dtype and shape. Rules: a float input takes values as they are. An integer
// input takes 8-bit pixels as they are (uint8) or minus 128 (int8) while they are uint8, and arrays of its own type
// unchanged; real values are quantized by the tensor's own parameters, half to even, saturating. Other integers are
// converted by value, which must fit. Throws InputError where the number of elements differs or a value does not fit.
Array ToInput(const Array& value, const runtime::TensorDetails& input);

// Fills every input of `interpreter` from the sample; inputs that leave their batch open are run with one. Throws
// InputError naming the sample.
void FillInputs(const data::Sample& sample, const Pipeline& pipeline, runtime::Interpreter& interpreter);

// Throws UsageError where the pipeline has picture steps but the data are arrays.
void CheckPipeline(const Pipeline& pipeline, const data::Dataset& dataset);

}  // namespace assay::eval
