// Two models, or a model and a dump of its tensors, on the same inputs: accuracy side by side, then tensor by tensor
// where they part, why, and how much of the loss comes back when that one layer is computed in float.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compare/match.h"
#include "data/dataset.h"
#include "eval/evaluate.h"
#include "eval/statistics.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "runtime/interpreter.h"
#include "tensor/npy.h"

namespace assay::compare {

// One of the two: a model with its preprocessing, or a dump (`in/<name>`, `out/<k>`, `tensor/<index>`).
struct Side {
  std::string path;  // for messages and reports
  std::shared_ptr<const graph::Model> model;
  NamedArrays dump;  // where `model` is null
  Pipeline pipeline;
  std::shared_ptr<const runtime::Delegate> delegate = nullptr;  // computes in place of our kernels

  bool is_dump() const { return model == nullptr; }
};

// Called as work goes on, from any thread but never at once. `phase` is what goes on: "reference", "model", "layers".
using Progress = std::function<void(const char* phase, size_t done, size_t total)>;

// One model may stand on both sides, with what computes it in doubt: where `model` is the same object and the delegates
// differ, its tensors are compared by their indices, and each op also alone on the reference's values.
struct CompareRequest {
  Side reference, model;
  const data::Dataset* dataset = nullptr;  // null: the dump's inputs, or random ones
  runtime::InterpreterOptions options;     // profile, limits, cancellation; for both sides, without a delegate
  int threads = 1;
  std::optional<int64_t> label_offset;
  bool skip_bad = false;
  // Of the comparison layer by layer, spread evenly over the data; none: 128, or down to 16 where a sample's tensors
  // are large.
  std::optional<size_t> layer_samples;
  size_t exchanged_layers = 24;  // the most suspicious ones, each then computed in float to see what comes back
  uint64_t seed = 0;             // of random inputs
  Progress progress;
};

// Both models' answers on the same samples.
// Paired: the reference first, the model second.
struct AccuracyComparison : eval::PairedAccuracy {
  eval::EvaluateResult reference, model;
};

// Of the model's float form, on the samples that both sides answered.
struct FloatFormAccuracy {
  int64_t samples = 0, correct = 0, reference_correct = 0, model_correct = 0;
  int64_t only_float = 0, only_model = 0;  // right on one side alone: the float form or the model
  double mcnemar_p = 1;
};

// Distances in the tensor's own units and in quanta (steps of the model's quantization; 0 where it has none).
struct TensorError {
  int64_t values = 0;
  int64_t different = 0;   // values that are not equal
  int64_t not_finite = 0;  // NaN or infinite on one side alone
  double sqnr_db = 0;      // infinite where nothing differs
  double cosine = 1;
  double max_abs = 0, mean_abs = 0, bias = 0;  // bias: mean of model - reference
  double max_quanta = 0, mean_quanta = 0;
};

// How a quantized tensor uses its codes on the samples.
struct RangeUse {
  double scale = 0;
  int64_t zero_point = 0;
  double low = 0, high = 0;                      // what the codes can hold
  double reference_min = 0, reference_max = 0;   // what the reference computes
  double reference_p01 = 0, reference_p999 = 0;  // its 0.1 % and 99.9 % quantiles
  double clipped_low = 0, clipped_high = 0;      // shares of the reference's values outside of the range
  double saturated_low = 0, saturated_high = 0;  // shares of the model's values at the outermost codes
  double levels_used = 0;                        // distinct codes seen / codes
  double range_used = 0;                         // (greatest - least code seen) / (codes - 1)
  double needed_scale = 0;                       // the step that just holds the reference's values
};

struct Histogram {
  double low = 0, high = 0;
  std::vector<int64_t> reference, model;
};

// The model's weights in real numbers against the reference's.
struct WeightComparison {
  double sqnr_db = 0;
  double needed_sqnr_db = 0;  // what symmetric 8-bit weights with a scale per channel would have
  double max_quanta = 0, mean_quanta = 0;
  bool per_channel = false;
  bool reference_is_rounded = false;  // its weights are integers as well
  double channel_range_ratio = 1;     // largest / smallest channel maximum of the reference, dead channels left out
  int32_t worst_channel = 0;
  double worst_channel_sqnr_db = 0;
  double worst_channel_factor = 1;         // least squares: model = factor * reference in that channel
  int32_t channels = 0, bad_channels = 0;  // bad: farther off than rounding can be
  int32_t scaled_channels = 0;             // the bad ones that one factor a channel explains
  double scaled_low = 1, scaled_high = 1;  // their factors
  bool has_bias = false;
  double bias_max_error = 0;  // in the output's units
  double bias_error_rms = 0, bias_rms = 0;
  bool bias_is_zero = false;  // the model's, where the reference's is not
};

enum class Cause : uint8_t {
  kNone,        // nothing stands out
  kInputRange,  // the input arrives with another scale or offset
  kInputInverted,
  kInputTransposed,
  kInputFlipped,
  kInputRotated,
  kInputShifted,
  kInputChannelOrder,
  kInputDiffers,  // in a way that none of the above explains
  kLabelShift,
  kLabelPermutation,
  kRangeTooNarrow,  // an output clips
  kRangeTooWide,    // an output's step is far coarser than its values need
  kWeightsDiffer,
  kWeightChannelScale,  // whole channels scaled
  kWeightsPerTensor,    // one scale for channels of very different ranges
  kWeightsCoarse,       // the step of the weights is far too large
  kBiasDiffers,
  kActivationDiffers,  // a clamp of the reference is missing, or one was added
  kGraphDiffers,       // ops stand before the layer that the reference does not have
  kKernelDiffers,      // the integer op does not compute what its float form does
  kTrainedApart,       // another network of the same shape
  kSpread,             // many layers lose a little each
  kUnexplained,
};
std::string_view CauseName(Cause cause);  // "input range", "bias differs", ...

struct LayerResult {
  int32_t op_index = 0;
  std::string op;                // "CONV_2D"
  std::string name, short_name;  // of the model's tensor
  int32_t model_tensor = 0, reference_tensor = -1;
  std::string reference_name;
  MatchKind match = MatchKind::kNone;
  Shape shape;
  DType dtype = DType::kFloat32;
  std::optional<TensorError> accumulated;  // both sides run on the sample
  std::optional<TensorError> local;        // this layer of the model fed with the reference's values
  std::string local_missing;               // why there is none
  std::string extra_ops;                   // ops without a match that `local` runs with it: "TRANSPOSE, PAD"
  // Where the two were trained apart: both sides run on the sample, against the reference's tensor. `accumulated` and
  // `local` then compare with the model's own float form.
  std::optional<TensorError> versus_reference;
  // `local`, of the same layer with faultless 8-bit quantization, on the samples that are kept; and `local` on those.
  std::optional<double> ideal_sqnr_db, local_beside_ideal_db;
  std::optional<RangeUse> range;
  std::optional<WeightComparison> weights;
  Histogram histogram;
  // Shares of the loss of the final scores that come back when this layer alone is computed in float with the
  // reference's weights; with the model's weights but an unquantized output; with the reference's weights (or only its
  // bias) but the model's output quantization.
  std::optional<double> recovered, recovered_by_range, recovered_by_weights, recovered_by_bias;
  std::optional<double> recovered_margin;     // +-, about 95 %: how far other samples may put `recovered`
  std::optional<double> recovered_agreement;  // share of samples with the reference's top-1 answer then
  Cause cause = Cause::kNone;
  std::string sentence;  // "" where there is nothing to say
  std::string detail;    // the numbers behind it, whole sentences

  // How many dB the layer loses that 8 bits need not lose.
  double excess_db() const;
};

// What was found, the most important first.
struct Finding {
  Cause cause = Cause::kNone;
  int32_t layer = -1;  // index into `layers`, -1: not about one layer
  std::string sentence;
  std::string detail;                      // whole sentences that follow it
  std::optional<double> recovered;         // share of the loss that the correction brings back
  std::optional<double> recovered_margin;  // +-, about 95 %
  std::string check;                       // what was done to find `recovered` out
};

// The final scores on the samples of the layer comparison; losses are squared errors relative to the reference's
// power, logits and probabilities added where both are known.
struct LossSummary {
  double model = 0;        // of the model itself
  double simulated = 0;    // of its float form with every tensor rounded to its codes
  double unquantized = 0;  // of its float form: what its weights alone lose
  double ideal = 0;        // of the reference with faultless 8-bit quantization: what 8 bits need to lose
  bool has_simulation = false, has_ideal = false;
  std::string simulation_missing;   // why not
  int32_t clipping = 0, coded = 0;  // layers whose range clips, and all that have one
  std::optional<double> recovered_by_clipping, recovered_by_clipping_margin;  // all that clip stored in float at once
  size_t samples = 0;             // that all this was measured on; no more than the layers
  double simulation_sqnr_db = 0;  // simulated scores against the model's own
  double agreement = 1;           // share of samples with the reference's top-1 answer: the model
  double simulated_agreement = 1, unquantized_agreement = 1, ideal_agreement = 1;
};

struct CompareResult {
  std::optional<AccuracyComparison> accuracy;
  std::string accuracy_missing;  // why there is none
  size_t layer_samples = 0;
  bool inputs_are_random = false;
  bool self_reference = false;                  // trained apart: layers were compared with the model's own float form
  double versus_reference_agreement = 1;        // then: share of the layer samples with the reference's answer
  std::optional<FloatFormAccuracy> float_form;  // then, where there are labels: what quantization alone costs
  std::vector<LayerResult> layers;              // in the model's order
  std::vector<size_t> worst;                    // indices into `layers`, worst first; only those with something to say
  int32_t matched = 0, unmatched = 0;
  LossSummary loss;
  Finding verdict;                 // cause kNone: nothing stands out
  std::vector<Finding> findings;   // the verdict's, then whatever else was found
  std::vector<std::string> notes;  // what limits the comparison
};

// Throws InputError naming side and reason; Error(kInterrupted) when cancelled.
CompareResult Compare(const CompareRequest& request);

}  // namespace assay::compare
