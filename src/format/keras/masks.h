// Keras's masks: which steps of a sequence count. A layer makes one (Embedding,
// Masking), hands it on, uses it, or drops it; a mask is a bool tensor [batch,
// steps].
#pragma once

#include "format/keras/layer_call.h"

namespace assay::keras {

// What `c` hands on by the rules of its class where its own function said
// nothing; kNoTensor: no mask.
Id MaskByClass(LayerCall& c);

Id LogicalAnd(GraphBuilder& g, std::string_view name, Id a, Id b);
Id LogicalOr(GraphBuilder& g, std::string_view name, Id a, Id b);
Id NotEqual(GraphBuilder& g, std::string_view name, Id x, double value);
// `x` where the condition holds, `otherwise` elsewhere; all three broadcast.
Id Where(GraphBuilder& g, std::string_view name, Id condition, Id x, Id otherwise);

}  // namespace assay::keras
