// From a float model to a quantized one: the request, what came of it, and the one function that does it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "eval/evaluate.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "quantize/calibration.h"
#include "runtime/interpreter.h"

namespace assay::quantize {

// kInterface leaves a quantized model's ops alone and changes only the types of its inputs and outputs.
enum class Scheme : uint8_t { kDynamic, kFloat16, kInt8, kInt16x8, kWeightOnly, kInterface };

struct NamedScheme {
  Scheme scheme;
  DType weights;
};
// The names of all schemes, with int8 weights, and "int4": dynamic range with weights of four bits. Throws UsageError
// naming the nearest known one.
NamedScheme SchemeFromName(std::string_view name);
std::string_view SchemeName(Scheme scheme);
bool NeedsSamples(Scheme scheme);

// How one op departs from the scheme of its model.
enum class OpForm : uint8_t {
  kScheme,   // not at all
  kFloat,    // stays float
  kInt16x8,  // of an int8 model: int16 activations between a QUANTIZE and a DEQUANTIZE of its own
  kInt4,     // of an int8 model: weights in int4
};

struct QuantizeRequest {
  std::shared_ptr<const graph::Model> model;
  Scheme scheme = Scheme::kInt8;
  DType input_type = DType::kFloat32, output_type = DType::kFloat32;
  DType weights = DType::kInt8;   // int8, or int4 where the ops take it
  int32_t block_size = 0;         // kDynamic with int4: FULLY_CONNECTED has a scale for every so many weights of a row
  bool per_channel = true;        // weights of convolutions
  bool per_channel_dense = true;  // weights of FULLY_CONNECTED
  bool like_tensorflow = false;   // ranges as TensorFlow's calibrator takes them, see WidenLikeTensorFlow
  bool equalize = false;          // move channels' scales between neighbouring layers first
  bool bias_correction = true;    // make up for the mean error of rounded weights
  bool empirical_bias = false;    // layer by layer on what the quantized layers before hand on
  bool absorb_bias = false;       // see AbsorbBiases
  bool adaround = false;          // round weights together, layer by layer on the samples, see RoundAdaptively
  bool clip_weights = false;      // also narrower scales of weights, where the error is less with them
  bool split_outputs = false;     // see SplitStarvedOutputs
  bool float_fallback = false;    // ops without an integer form stay float instead of ending the run
  std::vector<std::string> float_ops, float_tensors;  // left float: ops by name, ops by a result's name
  std::vector<OpForm> forms;                          // by op of the main subgraph; empty: all as the scheme says
  bool half_constants = false;                        // what stays float keeps its constants in float16

  const data::Dataset* dataset = nullptr;  // for schemes that need samples
  std::string data_spec;                   // what the metadata says of it
  Pipeline pipeline;
  std::string preprocess;  // what the metadata says where `pipeline` was applied to the data before; "": its own text
  // In place of Calibrate, for who quantizes one model many times and keeps what was seen.
  std::function<Calibration(const CalibrationRequest&)> calibrate;
  size_t samples = 100;
  CalibrationMethod method;
  std::vector<std::pair<std::string, CalibrationMethod>> method_for;  // by the name of a tensor
  bool until_settled = false;  // calibrate with no more of the samples than the ranges need
  uint64_t seed = 0;
  runtime::InterpreterOptions options;  // of the calibration: profile, limits, cancellation
  int threads = 1;
  eval::Progress progress;
};

struct FloatOp {
  int32_t index = 0;
  std::string name, result, reason;
};

struct QuantizeResult {
  graph::Model model;
  std::vector<size_t> calibrated_with;  // samples of the data set, ascending
  bool settled = false;                 // before all samples were run
  std::vector<std::string> warnings;
  std::vector<FloatOp> float_ops;  // that were left float
  int integer_ops = 0, quantize_ops = 0, dequantize_ops = 0;
  int weights = 0, weights_too_small = 0, weights_beyond_half = 0, weights_in_blocks = 0, widened_for_bias = 0;
  int equalized_pairs = 0, equalized_channels = 0, corrected_biases = 0;
  int absorbed_layers = 0, absorbed_channels = 0;
  int joins_left_float = 0, split_layers = 0, split_parts = 0;
  int rounded_layers = 0, narrowed_scales = 0;
  int64_t rounded_weights = 0, moved_weights = 0;  // of them: not the nearest code
  double calibration_seconds = 0, rounding_seconds = 0, seconds = 0;
};

// Throws InputError: no samples, a model that is quantized already, an op that cannot take the scheme, NaN in a sample,
// a layer or a weight (each named); UsageError for what the request itself gets wrong; Error(kInterrupted).
QuantizeResult Quantize(const QuantizeRequest& request);

// `count` of `size` samples by the seed, ascending; all where there are fewer.
std::vector<size_t> ChooseSamples(size_t size, size_t count, uint64_t seed);

}  // namespace assay::quantize
