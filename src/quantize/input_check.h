// Signs that the samples of a calibration are not what the model was trained on.
#pragma once

#include <string>
#include <vector>

#include "graph/model.h"
#include "quantize/calibration.h"

namespace assay::quantize {

// How far a layer's result moves over the samples: the root mean square over its channels of their standard deviations,
// divided by that of their means. Behind inputs normalised once it is near 1; inputs normalised twice (x / 255 / 255,
// or -1..1 taken to -1.008..-0.992) hardly vary, and the layer's bias and mean remain. Infinite where the means are 0.
double Liveliness(const ChannelStatistics& channels);

// One warning for each input of the main subgraph that hardly moves; where there is none, one for each layer that reads
// an input directly, or padded, and hardly moves. Nothing
// where `calibration` has no statistics of channels.
std::vector<std::string> WarnOfDullInputs(const graph::Subgraph& graph, const Calibration& calibration);

}  // namespace assay::quantize
