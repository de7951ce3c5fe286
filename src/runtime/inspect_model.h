// What a person wants to know of a model before running it: how it is quantized, what each op costs and whose
// arithmetic it would follow, what memory it takes, why it cannot run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/model.h"
#include "runtime/interpreter.h"

namespace assay::runtime {

struct OpFacts {
  int32_t subgraph = 0, index = 0;
  std::optional<int64_t> macs;  // none: its shapes are known only when it runs
  int64_t parameters = 0;       // elements of the weights and biases that it reads, through DEQUANTIZE or DENSIFY too
  uint64_t constant_bytes = 0;  // of all its constants; a shared one counts at each op
  bool has_kernel = true;
  std::optional<numerics::Engine> engine;  // none: folded, not known before it runs, or the model cannot run
  bool folded = false;                     // its outputs follow from constants and shapes: computed once
  std::string remark;                      // why another engine than the profile's own takes it, why there is no kernel
};

struct TensorFacts {
  Shape shape;              // as planned; as the file says where the subgraph was not prepared
  bool shape_known = true;  // false: only running shows it
  uint64_t bytes = 0;       // of that shape; 0 where it is not known or the type has no fixed size
};

struct SubgraphFacts {
  std::vector<OpFacts> ops;
  std::vector<TensorFacts> tensors;
  std::optional<Interpreter::MemoryUse> memory;  // none: it was not prepared
  std::vector<std::string> callers;              // "op 3 WHILE", "subgraph 1 op 2 IF", "signature 'train'"
};

struct ModelFacts {
  std::shared_ptr<const graph::Model> model;
  std::string profile;                   // the expanded name of the profile that engines and memory are for
  std::string scheme;                    // "int8", "dynamic range (int8 weights)", "float16 weights", ...
  std::string scheme_detail;             // "weights int8 per channel, activations int8, inputs int8, outputs float32"
  std::vector<SubgraphFacts> subgraphs;  // as in the model
  int64_t operators = 0, tensors = 0;
  int64_t macs = 0, ops_with_unknown_macs = 0;  // each subgraph counted once, whatever the trips of a loop
  int64_t parameters = 0;                       // every constant counted once
  uint64_t constant_bytes = 0;                  // every constant counted once
  std::string cannot_run;                       // why the model cannot be prepared; "" where it can
  std::vector<std::string> missing_kernels;     // names of ops, each once
};

// Prepares the model where that is possible; a model that cannot run is described from its file alone. Takes no memory
// for tensors. Throws Error(kInterrupted) when cancelled.
ModelFacts InspectModel(std::shared_ptr<const graph::Model> model, const InterpreterOptions& options);

}  // namespace assay::runtime
