// assay's public C++ interface: read a .tflite model, run it as TFLite's interpreter does,
// look into it, measure its accuracy, quantize it.
//
//   #include <assay/assay.h>
//   auto model = assay::ReadModel("model.tflite");                 // throws assay::Error
//   assay::Interpreter interpreter(model);
//   interpreter.SetInput(0, assay::Array(assay::DType::kFloat32, {1, 28, 28, 1}));
//   interpreter.Invoke();
//   assay::Array scores = interpreter.Output(0);
//
// Everything else under this folder is the implementation's own and may change until 1.0.
#pragma once

#include "base/error.h"
#include "eval/evaluate.h"
#include "format/tflite/reader.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "numerics/profile.h"
#include "quantize/quantize.h"
#include "runtime/inspect_model.h"
#include "runtime/interpreter.h"
#include "tensor/array.h"
#include "tensor/npy.h"

namespace assay {

using graph::Model;
using runtime::InspectModel;
using runtime::Interpreter;
using runtime::InterpreterOptions;
using runtime::ModelFacts;
using runtime::TensorDetails;
using tflite::ReadModel;

using data::Dataset;
using data::OpenDataset;
using eval::Evaluate;
using eval::EvaluateRequest;
using eval::EvaluateResult;

using quantize::Quantize;
using quantize::QuantizeRequest;
using quantize::QuantizeResult;

}  // namespace assay
