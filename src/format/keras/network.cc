#include "format/keras/network.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/error.h"
#include "format/keras/legacy.h"

namespace assay::keras {
namespace {

constexpr int kMaxNesting = 64;

std::string TextAt(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool IsModelClass(const std::string& class_name) {
  return class_name == "Sequential" || class_name == "Functional" || class_name == "Model";
}

// ["_CONSTANT_VALUE", -1, VALUE, {kwargs}]: a constant as the first argument.
bool IsOldConstant(const Json& value) {
  return value.is_array() && value.size() == 4 && value[0].is_string() && value[0] == "_CONSTANT_VALUE";
}

// ["name", 0, 0] or ["name", 0, 0, {kwargs}]: how Keras 2 names a tensor.
bool IsOldReference(const Json& value) {
  return value.is_array() && (value.size() == 3 || value.size() == 4) && value[0].is_string() &&
         value[1].is_number_integer() && value[2].is_number_integer();
}

TensorRef ReferenceFrom(const Json& value) {
  if (!IsOldReference(value))
    throw InputError("the config names a tensor in an unknown form: {}", value.dump().substr(0, 120));
  const auto node = value[1].get<int64_t>(), tensor = value[2].get<int64_t>();
  if (node < 0 || node > 1'000'000 || tensor < 0 || tensor > 1'000'000) {
    throw InputError("the config names call {} and output {} of layer '{}'", node, tensor, value[0].get<std::string>());
  }
  return {value[0].get<std::string>(), static_cast<int>(node), static_cast<int>(tensor)};
}

Json TensorJson(const TensorRef& ref) { return {{"$tensor", {ref.layer, ref.node, ref.tensor}}}; }

// Keras 2: a call is a list of [layer, node, tensor, kwargs], one per input tensor.
Node ParseOldNode(const Json& value) {
  Node node;
  // A call with one tensor may stand without the list around it.
  const Json entries = IsOldReference(value) || IsOldConstant(value) ? Json::array({value}) : value;
  Json list = Json::array();
  if (entries.is_object()) {  // a call with a dict of tensors
    Json dict = Json::object();
    for (const auto& [key, entry] : entries.items()) {
      const TensorRef ref = ReferenceFrom(entry);
      node.inputs.push_back(ref);
      dict[key] = TensorJson(ref);
    }
    node.args.push_back(dict);
    return node;
  }
  if (!entries.is_array()) throw InputError("a call in the config is no list");
  for (const Json& entry : entries) {
    if (!IsOldReference(entry) || IsOldConstant(entry)) {
      if (IsOldConstant(entry)) {
        list.push_back(entry[2]);
        if (entry[3].is_object()) {
          for (const auto& [key, kwarg] : entry[3].items()) node.kwargs[key] = TakeTensors(kwarg, &node.inputs);
        }
        continue;
      }
      list.push_back(TakeTensors(entry, &node.inputs));
      continue;
    }
    const TensorRef ref = ReferenceFrom(entry);
    node.inputs.push_back(ref);
    list.push_back(TensorJson(ref));
    if (entry.size() == 4 && entry[3].is_object()) {
      for (const auto& [key, kwarg] : entry[3].items()) node.kwargs[key] = TakeTensors(kwarg, &node.inputs);
    }
  }
  node.args.push_back(list.size() == 1 ? list[0] : list);
  return node;
}

Node ParseNode(const Json& value) {
  if (!value.is_object() || !value.contains("args")) return ParseOldNode(value);
  Node node;
  for (const Json& arg : value["args"]) node.args.push_back(TakeTensors(arg, &node.inputs));
  if (value.contains("kwargs") && value["kwargs"].is_object()) {
    for (const auto& [key, kwarg] : value["kwargs"].items()) node.kwargs[key] = TakeTensors(kwarg, &node.inputs);
  }
  return node;
}

Network ParseNetworkAt(const Json& model, int depth);

Layer ParseLayer(const Json& value, int depth) {
  if (!value.is_object() || !value.contains("class_name") || !value.contains("config")) {
    throw InputError("the config has a layer without class_name and config");
  }
  Layer layer;
  layer.class_name = TextAt(value, "class_name");
  layer.module = TextAt(value, "module");
  layer.config = value["config"];
  if (value.contains("build_config")) layer.build_config = value["build_config"];
  layer.name = TextAt(value, "name");
  if (layer.name.empty() && layer.config.is_object()) layer.name = TextAt(layer.config, "name");
  if (IsModelClass(layer.class_name)) {
    layer.nested = std::make_shared<Network>(ParseNetworkAt(value, depth + 1));
    if (layer.name.empty()) layer.name = layer.nested->name;
  } else {
    ModernizeLayer(layer);
  }
  return layer;
}

// Keras 2 counts the call that built a nested model with its own inputs, and does not write it down: the others then
// begin at 1.
void RenumberCalls(Network& network) {
  std::map<std::string, int> last, shift;
  const auto see = [&](const TensorRef& ref) { last[ref.layer] = std::max(last[ref.layer], ref.node); };
  for (const Layer& layer : network.layers) {
    for (const Node& node : layer.nodes) {
      for (const TensorRef& ref : node.inputs) see(ref);
    }
  }
  for (const TensorRef& ref : network.outputs) see(ref);
  for (const Layer& layer : network.layers) {
    const auto found = last.find(layer.name);
    if (layer.nested != nullptr && found != last.end() && found->second == static_cast<int>(layer.nodes.size())) {
      shift[layer.name] = 1;
    }
  }
  if (shift.empty()) return;
  const auto move = [&](TensorRef& ref) {
    if (shift.count(ref.layer) > 0 && ref.node > 0) --ref.node;
  };
  const auto move_json = [&](const auto& self, Json& value) -> void {
    if (value.is_object() && value.contains("$tensor")) {
      Json& at = value["$tensor"];
      if (shift.count(at[0].get<std::string>()) > 0 && at[1].get<int>() > 0) at[1] = at[1].get<int>() - 1;
      return;
    }
    if (value.is_structured()) {
      for (Json& entry : value) self(self, entry);
    }
  };
  for (Layer& layer : network.layers) {
    for (Node& node : layer.nodes) {
      for (TensorRef& ref : node.inputs) move(ref);
      move_json(move_json, node.args);
      move_json(move_json, node.kwargs);
    }
  }
  for (TensorRef& ref : network.outputs) move(ref);
}

// A tensor, or a list of them: where a network begins and ends.
std::vector<TensorRef> ParseEnds(const Json& value) {
  if (IsOldReference(value)) return {ReferenceFrom(value)};
  std::vector<TensorRef> refs;
  if (value.is_object()) {
    for (const auto& [key, entry] : value.items()) refs.push_back(ReferenceFrom(entry));
    return refs;
  }
  if (!value.is_array()) throw InputError("the config's inputs or outputs are no list");
  for (const Json& entry : value) {
    for (const TensorRef& ref : ParseEnds(entry)) refs.push_back(ref);
  }
  return refs;
}

Network ParseFunctional(const Json& config, int depth) {
  Network network;
  network.name = TextAt(config, "name");
  if (!config.contains("layers") || !config["layers"].is_array()) throw InputError("the config has no list of layers");
  for (const Json& value : config["layers"]) {
    Layer layer = ParseLayer(value, depth);
    if (value.contains("inbound_nodes") && value["inbound_nodes"].is_array()) {
      for (const Json& node : value["inbound_nodes"]) layer.nodes.push_back(ParseNode(node));
    }
    if (layer.class_name == "InputLayer" && layer.nodes.empty()) layer.nodes.emplace_back();
    network.layers.push_back(std::move(layer));
  }
  network.inputs = ParseEnds(config.at("input_layers"));
  network.outputs = ParseEnds(config.at("output_layers"));
  RenumberCalls(network);
  if (config["output_layers"].is_object()) {
    for (const auto& [key, entry] : config["output_layers"].items()) network.output_names.push_back(key);
  }
  return network;
}

// The shape that a Sequential model's first layer was given, with the batch; null where none is known.
Json FirstShape(const Json& config, const Layer& first) {
  for (const char* key : {"batch_input_shape", "batch_shape"}) {
    if (first.config.is_object() && first.config.contains(key) && first.config[key].is_array())
      return first.config[key];
  }
  if (first.nested != nullptr && !first.nested->inputs.empty()) {
    for (const Layer& layer : first.nested->layers) {
      if (layer.name == first.nested->inputs[0].layer) return FirstShape(Json::object(), layer);
    }
  }
  if (config.is_object() && config.contains("build_input_shape") && config["build_input_shape"].is_array()) {
    return config["build_input_shape"];
  }
  if (first.build_config.is_object() && first.build_config.contains("input_shape"))
    return first.build_config["input_shape"];
  return nullptr;
}

Network ParseSequential(const Json& config, int depth) {
  Network network;
  if (config.is_object()) network.name = TextAt(config, "name");
  if (network.name.empty()) network.name = "sequential";
  const Json& list = config.is_array() ? config : config.at("layers");
  if (!list.is_array() || list.empty()) throw InputError("Sequential model '{}' has no layers", network.name);
  for (const Json& value : list) network.layers.push_back(ParseLayer(value, depth));
  if (network.layers[0].class_name != "InputLayer") {
    Layer input;
    input.class_name = "InputLayer";
    input.name = network.layers[0].name + "_input";
    const Json shape = FirstShape(config, network.layers[0]);
    if (shape.is_array()) input.config["batch_shape"] = shape;
    if (network.layers[0].class_name == "Embedding") input.config["dtype"] = "float32";
    if (const std::string dtype = TextAt(network.layers[0].config, "dtype"); !dtype.empty()) {
      input.config["dtype"] = dtype;
    }
    network.layers.insert(network.layers.begin(), std::move(input));
  }
  for (size_t i = 0; i < network.layers.size(); ++i) {
    Node node;
    if (i > 0) {
      const TensorRef previous = {network.layers[i - 1].name, 0, 0};
      node.inputs.push_back(previous);
      node.args.push_back(TensorJson(previous));
    }
    network.layers[i].nodes = {node};
  }
  network.inputs = {{network.layers.front().name, 0, 0}};
  network.outputs = {{network.layers.back().name, 0, 0}};
  return network;
}

Network ParseNetworkAt(const Json& model, int depth) {
  if (depth > kMaxNesting) throw InputError("the config nests models more than {} deep", kMaxNesting);
  const std::string class_name = TextAt(model, "class_name");
  const Json& config = model.at("config");
  Network network;
  if (class_name == "Sequential") {
    network = ParseSequential(config, depth);
  } else if (config.is_object() && config.contains("layers") && config.contains("input_layers")) {
    network = ParseFunctional(config, depth);
  } else {
    throw InputError(
        "the model is a '{}' of its own code (a subclassed model), which the file does not hold; export it as a "
        "SavedModel or build it with the functional API",
        class_name);
  }
  std::set<std::string> names;
  for (const Layer& layer : network.layers) {
    if (layer.name.empty()) throw InputError("a layer of class {} has no name", layer.class_name);
    if (!names.insert(layer.name).second) throw InputError("two layers are named '{}'", layer.name);
  }
  return network;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (true) {
    const size_t end = text.find(separator, start);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  parts.push_back(text.substr(start));
  return parts;
}

Weight MakeWeight(const Hdf5Dataset& dataset, std::vector<std::string> path) {
  return {std::move(path), dataset.is_number, dataset.dtype, dataset.shape, dataset.data};
}

// A list of names that may be cut into pieces, because an attribute holds 64 KiB at most: NAME, or NAME0, NAME1, ...
std::vector<std::string> NameList(const Hdf5Group& group, const std::string& name) {
  if (const auto found = group.lists.find(name); found != group.lists.end()) return found->second;
  std::vector<std::string> all;
  for (int i = 0;; ++i) {
    const auto piece = group.lists.find(name + std::to_string(i));
    if (piece == group.lists.end()) return all;
    all.insert(all.end(), piece->second.begin(), piece->second.end());
  }
}

// Leaf layers of a network, depth first.
void CollectLeaves(Network& network, std::vector<Layer*>& leaves) {
  for (Layer& layer : network.layers) {
    if (layer.nested != nullptr) {
      CollectLeaves(*layer.nested, leaves);
    } else {
      leaves.push_back(&layer);
    }
  }
}

// A nested model's weights lie in one flat list; each is named after its layer.
void Distribute(const std::vector<Weight>& weights, const Layer& owner, Network& network) {
  std::vector<Layer*> leaves;
  CollectLeaves(network, leaves);
  std::map<std::string, std::vector<Layer*>> by_name;
  for (Layer* leaf : leaves) by_name[leaf->name].push_back(leaf);
  for (const Weight& weight : weights) {
    const std::string whole = "/" + weight.Name();
    Layer* best = nullptr;
    size_t best_length = 0;
    bool ambiguous = false;
    for (const auto& [name, layers] : by_name) {
      if (whole.find("/" + name + "/") == std::string::npos || name.size() <= best_length) continue;
      best = layers[0];
      best_length = name.size();
      ambiguous = layers.size() > 1;
    }
    if (best == nullptr) {
      throw InputError("weight '{}' of the nested model '{}' belongs to none of its layers", weight.Name(), owner.name);
    }
    if (ambiguous) {
      throw InputError("weight '{}' of the nested model '{}' fits several layers of one name", weight.Name(),
                       owner.name);
    }
    best->weights.push_back(weight);
  }
}

}  // namespace

std::string Weight::Name() const {
  std::string joined;
  for (const std::string& part : path) joined += (joined.empty() ? "" : "/") + part;
  return joined;
}

Json TakeTensors(const Json& value, std::vector<TensorRef>* inputs) {
  if (value.is_object()) {
    if (TextAt(value, "class_name") == "__keras_tensor__" && value.contains("config")) {
      const TensorRef ref = ReferenceFrom(value["config"].at("keras_history"));
      inputs->push_back(ref);
      return TensorJson(ref);
    }
    Json object = Json::object();
    for (const auto& [key, entry] : value.items()) object[key] = TakeTensors(entry, inputs);
    return object;
  }
  if (value.is_array()) {
    if (IsOldReference(value) && value.size() == 3) {
      const TensorRef ref = ReferenceFrom(value);
      inputs->push_back(ref);
      return TensorJson(ref);
    }
    Json list = Json::array();
    for (const Json& entry : value) list.push_back(TakeTensors(entry, inputs));
    return list;
  }
  return value;
}

std::string SnakeCase(const std::string& class_name) {
  // Keras: re.sub("\W+", ""), re.sub("(.)([A-Z][a-z]+)", "\1_\2"), re.sub("([a-z])([A-Z])", "\1_\2"), lower.
  std::string out;
  const auto is = [](char c, int (*test)(int)) { return test(static_cast<unsigned char>(c)) != 0; };
  for (size_t i = 0; i < class_name.size(); ++i) {
    const char c = class_name[i];
    if (!is(c, std::isalnum) && c != '_') continue;
    if (is(c, std::isupper) && !out.empty() && out.back() != '_') {
      const bool before_lower = i + 1 < class_name.size() && is(class_name[i + 1], std::islower);
      const bool after_lower = is(class_name[i - 1], std::islower);
      if (before_lower || after_lower) out += '_';
    }
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

Network ParseNetwork(const Json& model) { return ParseNetworkAt(model, 0); }

void AssignWeightsByLayer(const Hdf5File& file, const std::string& prefix, Network& network) {
  const auto in_prefix = [&](const std::string& name) { return prefix.empty() ? name : prefix + "/" + name; };
  std::set<std::string> known;
  for (Layer& layer : network.layers) {
    known.insert(layer.name);
    const auto group = file.groups.find(in_prefix(layer.name));
    if (group == file.groups.end()) continue;
    std::vector<Weight> weights;
    for (const std::string& name : NameList(group->second, "weight_names")) {
      const auto dataset = file.datasets.find(group->first + "/" + name);
      if (dataset == file.datasets.end()) throw InputError("the weights of layer '{}' lack '{}'", layer.name, name);
      std::vector<std::string> path = Split(name, '/');
      path.back() = path.back().substr(0, path.back().find(':'));
      weights.push_back(MakeWeight(dataset->second, std::move(path)));
    }
    if (layer.nested != nullptr) {
      Distribute(weights, layer, *layer.nested);
    } else {
      layer.weights = std::move(weights);
    }
  }
  const auto root = file.groups.find(prefix);
  if (root == file.groups.end()) return;
  for (const std::string& name : NameList(root->second, "layer_names")) {
    if (known.count(name) > 0) continue;
    const auto group = file.groups.find(in_prefix(name));
    if (group == file.groups.end() || NameList(group->second, "weight_names").empty()) continue;
    throw InputError("there are weights of a layer '{}', which the config does not have", name);
  }
}

void AssignWeightsByTree(const Hdf5File& file, const std::string& prefix, Network& network) {
  const std::string start = prefix.empty() ? "" : prefix + "/";
  // Where this model keeps its layers: the group's name changed over the versions.
  std::string base;
  for (const char* candidate : {"layers", "_layer_checkpoint_dependencies"}) {
    if (file.groups.count(start + candidate) > 0) {
      base = start + candidate + "/";
      break;
    }
  }
  if (base.empty()) return;
  std::map<std::string, std::string> by_label;  // the layer's own name, where the file gives it
  for (auto at = file.groups.lower_bound(base); at != file.groups.end() && at->first.rfind(base, 0) == 0; ++at) {
    const std::string rest = at->first.substr(base.size());
    const size_t slash = rest.find('/');
    if (slash == std::string::npos || rest.substr(slash) != "/vars") continue;
    if (const auto name = at->second.strings.find("name"); name != at->second.strings.end()) {
      by_label[name->second] = rest.substr(0, slash);
    }
  }
  std::map<std::string, int> used;
  std::set<std::string> taken;
  for (Layer& layer : network.layers) {
    const std::string snake = SnakeCase(layer.class_name == "Model" ? "Functional" : layer.class_name);
    const int count = used[snake]++;
    std::string entry = count == 0 ? snake : fmt::format("{}_{}", snake, count);
    if (const auto found = by_label.find(layer.name); found != by_label.end()) entry = found->second;
    const std::string home = base + entry;
    if (!taken.insert(entry).second) continue;
    if (layer.nested != nullptr) {
      AssignWeightsByTree(file, home, *layer.nested);
      continue;
    }
    const std::string below = home + "/";
    std::vector<std::pair<std::vector<std::string>, const Hdf5Dataset*>> found;
    for (auto at = file.datasets.lower_bound(below); at != file.datasets.end() && at->first.rfind(below, 0) == 0;
         ++at) {
      const std::vector<std::string> parts = Split(at->first.substr(below.size()), '/');
      std::vector<std::string> path;
      std::string so_far = home;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        so_far += "/" + parts[i];
        if (parts[i] == "vars") continue;
        const auto vars = file.groups.find(so_far + "/vars");
        const bool labelled = vars != file.groups.end() && vars->second.strings.count("name") > 0;
        path.push_back(labelled ? vars->second.strings.at("name") : parts[i]);
      }
      path.push_back("#" + parts.back());
      found.emplace_back(std::move(path), &at->second);
    }
    // "#10" behind "#9".
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      const std::string &x = a.first.back(), &y = b.first.back();
      return x.size() != y.size() ? x.size() < y.size() : x < y;
    });
    for (auto& [path, dataset] : found) layer.weights.push_back(MakeWeight(*dataset, std::move(path)));
  }
}

}  // namespace assay::keras
