// The order in which candidates are tried, and which are given up early.
#pragma once

#include <string>
#include <vector>

#include "tune/lab.h"

namespace assay::tune {

struct SearchResult {
  std::vector<Trial*> finished;   // asked all samples that choose; the source first
  std::vector<Trial*> baselines;  // what TensorFlow's converter gives
  std::vector<LayerCost> layers;  // in the order of execution
  std::string layers_missing;
  std::vector<std::string> notes;
  bool out_of_time = false;
};

SearchResult Search(Lab& lab);

}  // namespace assay::tune
