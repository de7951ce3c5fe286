// From what was measured of a layer to a sentence on the likely cause.
#pragma once

#include "compare/ablation.h"
#include "compare/study.h"

namespace assay::compare {

// Sets `cause`, `sentence` and `detail` of every layer; none where it loses no more than 8 bits must. Uses the
// recovered shares where they are known.
void ExplainLayers(const Study& study, std::vector<LayerResult>& layers);

// The layers that the weights and biases alone prove wrong, whatever they cost: those that differ from the reference
// while (nearly) all others agree with it.
std::vector<size_t> LayersWithWrongConstants(const std::vector<LayerResult>& layers);

// How many layers have weights that were compared, and how many of them differ far beyond quantization.
struct WeightCensus {
  int compared = 0, far = 0;
  double median_sqnr_db = 0;
};
WeightCensus CountWeights(const std::vector<LayerResult>& layers);

// True where the weights of most layers are no quantization of the reference's: another training, or a longer one.
bool WereTrainedApart(const WeightCensus& census);

// What a layer that loses something loses it by: its sentence, or that it only rounds.
std::string ReasonOf(const LayerResult& layer);

// Values lie outside of what the codes of the layer's output hold, and no op prescribes them.
bool RangeClips(const LayerResult& layer);

bool WeightsAreWrong(const WeightComparison& weights);
bool BiasIsWrong(const LayerResult& layer);

}  // namespace assay::compare
