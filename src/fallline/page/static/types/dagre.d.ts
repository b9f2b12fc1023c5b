// The part of dagre that vendor/dagre.js exports and the graph view uses.

/** Labels of nodes; `layout` writes x and y, the middle of the box, in the unit of width and height. */
export interface NodeLabel {
  width: number;
  height: number;
  x: number;
  y: number;
  [key: string]: any;
}

/** Labels of edges; `layout` writes the points. */
export interface EdgeLabel {
  points: { x: number; y: number }[];
  minlen?: number;
  weight?: number;
  width?: number;
  height?: number;
  labelpos?: 'l' | 'c' | 'r';
  labeloffset?: number;
  x?: number;
  y?: number;
  [key: string]: any;
}

/** What `setGraph` takes; `layout` writes width and height. */
export interface GraphLabel {
  rankdir?: 'TB' | 'BT' | 'LR' | 'RL';
  align?: 'UL' | 'UR' | 'DL' | 'DR';
  nodesep?: number;
  edgesep?: number;
  ranksep?: number;
  marginx?: number;
  marginy?: number;
  acyclicer?: 'greedy';
  ranker?: 'network-simplex' | 'tight-tree' | 'longest-path';
  width?: number;
  height?: number;
  [key: string]: any;
}

export interface Edge {
  v: string;
  w: string;
  name?: string;
}

export class Graph {
  constructor(options?: { directed?: boolean; multigraph?: boolean; compound?: boolean });
  setGraph(label: GraphLabel): this;
  graph(): GraphLabel;
  setDefaultNodeLabel(label: unknown): this;
  setDefaultEdgeLabel(label: unknown): this;
  setNode(name: string, label?: Partial<NodeLabel>): this;
  setParent(name: string, parent?: string): this;
  setEdge(from: string, to: string, label?: Partial<EdgeLabel>, name?: string): this;
  setEdge(edge: Edge, label?: Partial<EdgeLabel>): this;
  hasNode(name: string): boolean;
  node(name: string): NodeLabel;
  edge(from: string, to: string, name?: string): EdgeLabel;
  edge(edge: Edge): EdgeLabel;
  nodes(): string[];
  edges(): Edge[];
  parent(name: string): string | undefined;
  children(name?: string): string[];
  predecessors(name: string): string[] | undefined;
  successors(name: string): string[] | undefined;
  inEdges(name: string): Edge[] | undefined;
  outEdges(name: string): Edge[] | undefined;
  nodeCount(): number;
  edgeCount(): number;
  removeNode(name: string): this;
  removeEdge(from: string, to: string, name?: string): this;
}

/** Lay a graph out in place. */
export function layout(graph: Graph, options?: Record<string, unknown>): void;
export const version: string;
