// VAR_HANDLE, ASSIGN_VARIABLE, READ_VARIABLE: values that outlive an invocation, found by container and name. A
// resource tensor holds the handle of its variable, an int32.
#include "graph/ops/resource_variable.h"

#include <algorithm>
#include <cstring>

#include "ops/checks.h"
#include "ops/ops.h"
#include "ops/resources.h"

namespace assay::ops {
namespace {

void CheckResource(const TensorRef& tensor) {
  CheckType(tensor, "resource", {DType::kResource});
  if (tensor.size() != 1) throw InputError("resource has the shape {}, expected one handle", tensor.shape.ToString());
}

ResourceVariable& VariableOf(const RunContext& run, const TensorRef& resource) {
  int32_t handle = 0;
  ASSAY_CHECK(resource.bytes == sizeof(handle));
  std::memcpy(&handle, resource.data, sizeof(handle));
  return run.subgraphs().resources().variable(handle);
}

// An open dimension, or a type without a fixed size: only reading shows the shape.
bool IsOpen(const graph::Tensor& tensor) {
  return tensor.shape_signature.has_value() && std::ranges::count(*tensor.shape_signature, -1) > 0;
}

}  // namespace

RunFn PrepareVarHandle(PrepareContext& context) {
  CheckArity(context, 0, 0, 1);
  CheckType(context.Output(0), "output", {DType::kResource});
  const auto a = context.op().attributes.As<graph::VarHandleAttributes>();
  const Shape& declared = context.Output(0).info->shape;
  context.SetOutputShape(0, declared.NumElements() == 1 ? declared : Shape{});
  return [a](const RunContext& run) {
    const int32_t handle = run.subgraphs().resources().Handle(a.container, a.shared_name);
    std::memcpy(run.Output(0).data, &handle, sizeof(handle));
  };
}

RunFn PrepareAssignVariable(PrepareContext& context) {
  CheckArity(context, 2, 2, 0);
  CheckResource(context.Input(0));
  const DType dtype = context.Input(1).dtype;
  if (DTypeBits(dtype) == 0) throw InputError("a variable cannot hold {}", DTypeName(dtype));
  return [](const RunContext& run) {
    const TensorRef& value = run.Input(1);
    ResourceVariable& variable = VariableOf(run, run.Input(0));
    variable.is_assigned = true;
    variable.dtype = value.dtype;
    variable.shape = value.shape;
    variable.bytes.assign(value.data, value.data + value.bytes);
  };
}

RunFn PrepareReadVariable(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  CheckResource(context.Input(0));
  const graph::Tensor& info = *context.Output(0).info;
  if (DTypeBits(info.dtype) == 0) throw InputError("a variable cannot hold {}", DTypeName(info.dtype));
  const bool is_static = !IsOpen(info);
  if (is_static) {
    context.SetOutputShape(0, info.shape);
  } else {
    context.SetOutputDynamic(0);
  }
  return [is_static](const RunContext& run) {
    const ResourceVariable& variable = VariableOf(run, run.Input(0));
    if (!variable.is_assigned) throw InputError("the variable is read before anything was assigned to it");
    if (variable.dtype != run.Output(0).dtype) {
      throw InputError("the variable holds {}, the output is {}", DTypeName(variable.dtype),
                       DTypeName(run.Output(0).dtype));
    }
    const TensorRef& output = is_static ? run.Output(0) : run.ResizeOutput(0, variable.shape);
    if (output.shape != variable.shape) {
      throw InputError("the variable has the shape {}, the output {}", variable.shape.ToString(),
                       output.shape.ToString());
    }
    if (output.bytes > 0) std::memcpy(output.data, variable.bytes.data(), output.bytes);
  };
}

}  // namespace assay::ops
