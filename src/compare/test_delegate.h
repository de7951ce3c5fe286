// For tests: a runtime that is not ours to look into.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "graph/model.h"
#include "runtime/delegate.h"
#include "runtime/interpreter.h"

namespace assay::compare::testing {

// Another runtime: our kernels under a profile, with a fault in one op where one is asked for.
class Other final : public runtime::Delegate {
 public:
  explicit Other(std::string_view profile, int faulty_op = -1) : profile_(profile), faulty_op_(faulty_op) {}
  std::string Name() const override { return "other"; }
  std::unique_ptr<runtime::DelegateKernel> Compile(const runtime::DelegateTask& task) const override {
    return std::make_unique<Kernel>(task, profile_, faulty_op_);
  }

 private:
  class Kernel final : public runtime::DelegateKernel {
   public:
    Kernel(const runtime::DelegateTask& task, const std::string& profile, int faulty_op)
        : interpreter_(std::make_shared<const graph::Model>(task.model), Options(profile)) {
      interpreter_.SetHook([faulty_op](const runtime::OpEvent& event) {
        if (event.before || event.op_index != faulty_op) return;
        for (int8_t& code : event.outputs[0]->mutable_values<int8_t>()) {
          code = static_cast<int8_t>(std::min(127, code + 5));
        }
      });
    }
    void Invoke(std::span<const std::span<const uint8_t>> inputs,
                std::span<const std::span<uint8_t>> outputs) override {
      for (size_t i = 0; i < inputs.size(); ++i) std::ranges::copy(inputs[i], interpreter_.MutableInput(i).begin());
      interpreter_.Invoke();
      for (size_t k = 0; k < outputs.size(); ++k) std::ranges::copy(interpreter_.OutputBytes(k), outputs[k].begin());
    }

   private:
    static runtime::InterpreterOptions Options(const std::string& profile) {
      runtime::InterpreterOptions options;
      options.profile = &numerics::FindProfile(profile);
      return options;
    }
    runtime::Interpreter interpreter_;
  };

  std::string profile_;
  int faulty_op_;
};

}  // namespace assay::compare::testing
