// The pictures of the comparison's HTML report, as inline SVG.
#pragma once

#include <string>

#include "compare/compare.h"

namespace assay::report {

// "74 &plusmn; 7 %", without a margin "74 %".
std::string ShareAndMargin(double share, const std::optional<double>& margin);

// Signal to noise over the model's layers: accumulated, local, and what 8 bits could keep.
std::string DepthChart(const compare::CompareResult& result);

// Both sides' values at one layer and the range that the model's codes hold; "" where there are none.
std::string HistogramChart(const compare::LayerResult& layer);

// Accuracies with their intervals, one row a side.
std::string AccuracyChart(const compare::AccuracyComparison& accuracy);

// Shares of the loss that come back, the greatest first; "" where nothing was exchanged.
std::string RecoveryChart(const compare::CompareResult& result);

// The loss beside that of the float form and of faultless quantization, on a logarithmic axis.
std::string LossChart(const compare::LossSummary& loss);

}  // namespace assay::report
