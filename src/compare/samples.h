// Runs the samples of a study: some that it keeps, with every tensor's values, and more that only pass.
#pragma once

#include <functional>
#include <span>

#include "compare/study.h"

namespace assay::compare {

// Fills the inputs of both sides' interpreters for sample i.
using FillBoth = std::function<void(size_t i, runtime::Interpreter& reference, runtime::Interpreter& model)>;
// Runs samples beyond those that a study keeps, some at a time and in order, and shows what both sides hold. Empty
// where there are none.
using FurtherSamples = std::function<void(const std::function<void(std::span<const SampleTrace>)>& block)>;

// Runs `samples` samples, or fewer where their tensors would not fit into `memory_bytes`; the study keeps them.
void RunSamples(Study& study, size_t samples, uint64_t memory_bytes, const FillBoth& fill);
// Those from the number of the kept ones up to `samples`, `memory_bytes` of them at a time; the study must stay where
// it is.
FurtherSamples SamplesBeyond(const Study& study, size_t samples, uint64_t memory_bytes, const FillBoth& fill);

}  // namespace assay::compare
