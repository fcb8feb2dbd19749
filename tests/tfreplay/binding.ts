// A shortened binding as CDKTF's generator writes them: one resource with one of each kind of attribute and block.
export interface WidgetConfig extends cdktf.TerraformMetaArguments {
  /**
  * Docs at Terraform Registry: {@link https://registry.example/docs/resources/widget#name Widget#name}
  */
  readonly name: string;
  /**
  * network block
  *
  * Docs at Terraform Registry: {@link https://registry.example/docs/resources/widget#network Widget#network}
  */
  readonly network: WidgetNetwork;
  /**
  * rule block
  *
  * Docs at Terraform Registry: {@link https://registry.example/docs/resources/widget#rule Widget#rule}
  */
  readonly rule?: WidgetRule[] | cdktf.IResolvable;
  /**
  * What to set.
  *
  * Docs at Terraform Registry: {@link https://registry.example/docs/resources/widget#set Widget#set}
  */
  readonly set?: WidgetSet[] | cdktf.IResolvable;
}
export class WidgetNetworkOutputReference extends cdktf.ComplexObject {
  public constructor(terraformResource: cdktf.IInterpolatingParent, terraformAttribute: string) {
    super(terraformResource, terraformAttribute, false, 0);
  }

  // cidr - computed: false, optional: false, required: true
  private _cidr?: string; 
  public get cidr() {
    return this.getStringAttribute('cidr');
  }
}
export class WidgetRuleOutputReference extends cdktf.ComplexObject {
  public constructor(terraformResource: cdktf.IInterpolatingParent, terraformAttribute: string, complexObjectIndex: number, complexObjectIsFromSet: boolean) {
    super(terraformResource, terraformAttribute, complexObjectIsFromSet, complexObjectIndex);
  }

  // ports - computed: false, optional: true, required: false
  private _ports?: number[]; 
  public get ports() {
    return cdktf.Token.asNumberList(cdktf.Fn.tolist(this.getNumberListAttribute('ports')));
  }
}
export class WidgetRuleList extends cdktf.ComplexList {
  public get(index: number): WidgetRuleOutputReference {
    return new WidgetRuleOutputReference(this.terraformResource, this.terraformAttribute, index, this.wrapsSet);
  }
}
export class WidgetSetOutputReference extends cdktf.ComplexObject {
  public constructor(terraformResource: cdktf.IInterpolatingParent, terraformAttribute: string, complexObjectIndex: number, complexObjectIsFromSet: boolean) {
    super(terraformResource, terraformAttribute, complexObjectIsFromSet, complexObjectIndex);
  }

  // value - computed: true, optional: true, required: false
  private _value?: string; 
  public get value() {
    return this.getStringAttribute('value');
  }
}
export class WidgetSetList extends cdktf.ComplexList {
  public get(index: number): WidgetSetOutputReference {
    return new WidgetSetOutputReference(this.terraformResource, this.terraformAttribute, index, this.wrapsSet);
  }
}
export class Widget extends cdktf.TerraformResource {
  public static readonly tfResourceType = "acme_widget";

  // address - computed: true, optional: false, required: false
  public get address() {
    return this.getStringAttribute('address');
  }

  // labels - computed: false, optional: true, required: false
  private _labels?: { [key: string]: string }; 
  public get labels() {
    return this.getStringMapAttribute('labels');
  }

  // name - computed: false, optional: false, required: true
  private _name?: string; 
  public get name() {
    return this.getStringAttribute('name');
  }

  // password_wo - computed: false, optional: true, required: false
  private _passwordWo?: string; 
  public get passwordWo() {
    return this.getStringAttribute('password_wo');
  }

  // set - computed: false, optional: true, required: false
  private _set = new WidgetSetList(this, "set", false);
  public get set() {
    return this._set;
  }

  // network - computed: false, optional: false, required: true
  private _network = new WidgetNetworkOutputReference(this, "network");
  public get network() {
    return this._network;
  }

  // rule - computed: false, optional: true, required: false
  private _rule = new WidgetRuleList(this, "rule", true);
  public get rule() {
    return this._rule;
  }
}
