// State of one interpreter that outlives an invocation: resource variables by container and name, and the subgraphs
// that CALL_ONCE has run.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay::ops {

struct ResourceVariable {
  bool is_assigned = false;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::vector<uint8_t> bytes;
};

class Resources {
 public:
  // The handle of a variable: the same (container, name) gives the same id.
  int32_t Handle(const std::string& container, const std::string& name) {
    return ids_.try_emplace({container, name}, static_cast<int32_t>(ids_.size())).first->second;
  }
  ResourceVariable& variable(int32_t id) { return variables_[id]; }
  // True the first time that it is asked for a subgraph.
  bool FirstCall(int32_t subgraph) { return called_.insert(subgraph).second; }
  void Reset() {
    variables_.clear();
    called_.clear();
  }

 private:
  std::map<std::pair<std::string, std::string>, int32_t> ids_;
  std::map<int32_t, ResourceVariable> variables_;
  std::set<int32_t> called_;
};

}  // namespace assay::ops
